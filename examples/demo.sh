#!/usr/bin/env bash
# The bundled model first, then the whole main job on the sample corpus: prepare, train, evaluate, classify. `make demo` builds the program and runs this.
# Everything is written below build/demo. Each command is shown in front of its output; paste any of them.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/build/release:$PATH
out=build/demo
rm -rf $out
mkdir -p $out

run() {
  printf '\n$ %s\n' "$*"
  "$@"
}

echo "1. Classify an article with the bundled model (models/default/README.md says what it is and what it cannot know)."
run fakenews predict examples/articles/quiet-turbine.txt --format table
run fakenews predict --title "Scientists admit that the moon is rented" --text "Officials refuse to comment."

printf '\n2. Now a model of your own. Clean, deduplicate and split the corpus: 145 invented news items (examples/README.md).\n'
run fakenews data prepare --input examples/news.csv --out $out/data

printf '\n3. Train the linear family: hashed n-grams and logistic regression, in a second.\n'
run fakenews train --data $out/data family=linear --out $out/linear

printf '\n4. Train a small transformer from random weights. A real one starts from a pretrained directory: --init DIR.\n'
run fakenews train --data $out/data --init scratch --out $out/bert train.epochs=12 train.batch_size=8 train.learning_rate=3e-4

printf '\n5. Evaluate it on the rows that it has not seen, beside the majority and the linear family.\n'
run fakenews evaluate --model $out/bert --data $out/data --split test

printf '\n6. Classify three articles that are not in the corpus: a report, a hoax, and one that is hard to place.\n'
run fakenews predict --model $out/linear examples/articles/*.txt --format table
run fakenews predict --model $out/bert examples/articles/*.txt --format table

cat <<END

That was the whole job. Now one of your own:

  build/release/fakenews predict --model $out/linear --text "Scientists admit that the moon is rented"
  build/release/fakenews runs list # the trainings, with their figures; how one is promoted and served: docs/registry.md
  build/release/fakenews serve     # the bundled model, with a page at http://127.0.0.1:8080/ and an API (docs/api.md)

Take none of these figures for a result: some twenty test rows by one author prove nothing (one row more or less moves the
accuracy by five points), and a transformer trained from scratch on a hundred items has learnt that author's habits, not truth.
END
