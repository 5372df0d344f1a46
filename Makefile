# The menu of this project: every target is a thin call of CMake or of a script. `make help` lists them.
# NO_INSTALL=1 keeps every target from installing system packages.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export NO_INSTALL JOBS
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
python := build/venv/bin/python

# configure PRESET and build it: $(call build,dev)
build = $(if $(NO_INSTALL),,tools/deps.sh build $(2) &&) tools/build.sh $(1)

.PHONY: help
help: ## this list
	@awk -F ":.*## " '/^#@ /{print "\n" substr($$0, 4)} /^[a-z -]+:.*## /{split($$1, t, " "); printf "  make %-16s %s\n", t[1], $$2}' Makefile

#@ To use it
.PHONY: deps build release demo install uninstall
deps: ## install the Debian packages that a build needs (NO_INSTALL=1: only print the line)
	@tools/deps.sh build
build release: ## build/release/fakenews
	@$(call build,release)
demo: release ## the whole main job on the sample corpus: prepare, train, evaluate, classify
	@examples/demo.sh
install: release ## program, C library, manual page, completions and docs into PREFIX (/usr/local), below DESTDIR where that is set
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"
uninstall: ## remove what the last `make install` wrote (same DESTDIR)
	@DESTDIR="$(DESTDIR)" tools/uninstall.sh build/release

.PHONY: lambda-zip
lambda-zip: ## one static program and the bundled model for AWS Lambda, build/lambda/fakenews-lambda.zip (ARM=1: 64-bit ARM)
	@$(if $(NO_INSTALL),,tools/deps.sh build lambda $(if $(ARM),aarch64) &&) $(if $(ARM),tools/aarch64.sh &&) tools/lambda_zip.sh $(if $(ARM),aarch64)

#@ To work on it
.PHONY: dev test judge judge-long judge-mlflow2 check ci fix docs
dev: ## build/dev: with assertions, tests and warnings as errors
	@$(call build,dev,test)
test: dev venv-light ## unit, command-line and meta tests, and the light judges (PyArrow, tokenizers, scikit-learn)
	@tests/run.sh unit meta cli light
judge: dev venv-heavy ## the heavy judges: PyTorch and Transformers; the page in Chromium (downloads gigabytes)
	@tools/deps.sh judge
	@tests/run.sh judge
judge-long: dev venv-heavy ## judges that take long: every text and code point for the tokenizer, every set for the linear family
	@tests/run.sh long
judge-mlflow2: dev venv-heavy ## an MLflow server 2.x judges what trainings tell it (downloads 300 MB into build/venv-mlflow2)
	@tools/deps.sh judge
	@[ -x build/venv-mlflow2/bin/mlflow ] || { python3 -m venv build/venv-mlflow2 && build/venv-mlflow2/bin/pip install --quiet \
	  --disable-pip-version-check --no-deps --only-binary :all: -r tests/requirements-mlflow2.txt; }
	@FN_MLFLOW_PYTHON=$(CURDIR)/build/venv-mlflow2/bin/python tests/run.sh tests/judge/test_mlflow.py
check: check-format check-clang check-aarch64 check-tidy check-cppcheck check-asan check-tsan test ## everything: format, two compilers, ARM, linters, sanitizers, fuzz corpora, tests
ci: ## what continuous integration runs
	@.ci/run
fix: deps-check ## format all sources, regenerate docs/options.md
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format-14 -i
	@$(MAKE) --no-print-directory docs
docs: release ## regenerate docs/options.md from the option tables
	@build/release/fakenews config options --markdown >docs/options.md

#@ Parts of check
.PHONY: check-format check-clang check-tidy check-cppcheck check-asan check-tsan check-aarch64
check-format: deps-check ## sources are formatted (clang-format-14)
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format-14 --dry-run -Werror && echo "format: ok"
check-clang: deps-check ## unit tests built with clang-14, warnings as errors
	@$(call build,clang,test) && tests/run.sh --build build/clang unit
check-tidy: deps-check ## clang-tidy, short set (.clang-tidy)
	@$(call build,clang,test) && tools/tidy.sh build/clang
check-cppcheck: deps-check ## cppcheck
	@$(call build,clang,test) && tools/cppcheck.sh build/clang
check-asan: ## unit tests and fuzz corpora under address and undefined-behaviour sanitizers
	@$(call build,asan,test) && tests/run.sh --build build/asan unit
check-tsan: ## unit tests that make threads, under the thread sanitizer
	@$(call build,tsan,test) test_threads && tests/run.sh --build build/tsan --label threads unit
check-aarch64: ## unit tests and fuzz corpora built for 64-bit ARM (gcc, warnings as errors), run by qemu
	@$(if $(NO_INSTALL),,tools/deps.sh build test aarch64 &&) tools/aarch64.sh && tools/build.sh aarch64 && tests/run.sh --build build/aarch64 unit

.PHONY: check-lambda check-container
check-lambda: lambda-zip venv-light ## the package for AWS Lambda, run in an empty read-only root
	@tests/run.sh package
check-container: release venv-light ## the steps of deploy/container/Dockerfile in a bare Debian root (as root, with debootstrap), and what comes out
	@tests/run.sh container

#@ Now and then
.PHONY: fuzz torture coverage clean
fuzz: deps-check ## each libFuzzer target for FUZZ_SECONDS (default 20), or until FUZZ_RUNS inputs were run
	@$(call build,fuzz,test) && tools/fuzz.sh build/fuzz $(or $(FUZZ_SECONDS),20) $(FUZZ_RUNS)
torture: dev venv-light ## every allocation and call fails, 100 kills, full disks, lost power, trackers and registries too: hours
	@PYTEST_ADDOPTS=-s tests/run.sh torture
coverage: venv-light ## line coverage of the unit tests and tests/cli, in build/coverage/report; fails below the floor in tools/coverage.sh
	@$(if $(NO_INSTALL),,tools/deps.sh coverage &&) $(call build,coverage,test) && tools/coverage.sh build/coverage
clean: ## remove build/
	@rm -rf build

.PHONY: deps-check venv-light venv-heavy
deps-check:
	@$(if $(NO_INSTALL),:,tools/deps.sh build test check)
venv-light:
	@tools/venv.sh light
venv-heavy:
	@tools/venv.sh light heavy
