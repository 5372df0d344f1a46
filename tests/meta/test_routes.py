"""The table of routes in docs/api.md is the program's."""


def test_the_docs_have_the_table_of_routes(fakenews, repo):
    done = fakenews("serve", "--routes")
    assert done.code == 0 and done.stdout.count("\n") > 30, done
    assert done.stdout in (repo / "docs/api.md").read_text(), "put the output of `fakenews serve --routes` into docs/api.md"
