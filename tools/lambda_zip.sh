#!/usr/bin/env bash
# Builds the static program and packs it with the bundled model as AWS Lambda takes them: tools/lambda_zip.sh [aarch64]
# build/lambda/fakenews-lambda[-aarch64].zip holds `bootstrap` and share/fakenews/default.fnm and nothing else; the same
# sources and compiler give the same bytes. MODEL=detector.fnm packs another model.
set -euo pipefail
cd "$(dirname "$0")/.."
arch=${1:-} model=${MODEL:-models/default/default.fnm}
build=build/release${arch:+-$arch} stage=build/lambda/package${arch:+-$arch}
zip=$PWD/build/lambda/fakenews-lambda${arch:+-$arch}.zip

tools/build.sh "release${arch:+-$arch}" fakenews_lambda
rm -rf "$stage" "$zip"
install -Dm644 "$model" "$stage/share/fakenews/default.fnm"
install -m755 "$build/fakenews_lambda" "$stage/bootstrap"
"${arch:+$arch-linux-gnu-}strip" "$stage/bootstrap"
# Times and places of the machine are no part of it: an archive's local time, owners, the order of a folder.
find "$stage" -exec touch -h -d '1980-01-02 00:00:00 UTC' {} +
(cd "$stage" && TZ=UTC zip -X -D -9 -q "$zip" bootstrap share/fakenews/default.fnm)
size() { stat -c %s "$1" | awk '{printf "%.1f MB", $1 / 1e6}'; }
echo "${zip#"$PWD/"}: $(size "$zip"); bootstrap $(size "$stage/bootstrap"), model $(size "$stage/share/fakenews/default.fnm")"
echo "sha256 $(sha256sum <"$zip" | cut -d' ' -f1)"
