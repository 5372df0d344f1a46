"""The README's table of routes is the program's."""


def test_readme_has_the_table_of_routes(fakenews, repo):
    done = fakenews("serve", "--routes")
    assert done.code == 0 and done.stdout.count("\n") > 30, done
    assert done.stdout in (repo / "README.md").read_text(), "put the output of `fakenews serve --routes` into README.md"
