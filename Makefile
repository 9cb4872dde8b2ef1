# tokenwell: `make demo` shows it, `make test` proves it. `make help` lists the rest.

VERSION := 0.1.0
PREFIX ?= /usr/local
# Relative to PREFIX; lib/x86_64-linux-gnu for example where libraries of several platforms are installed.
LIBDIR ?= lib
DIST := $(CURDIR)/dist
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
PYTHON ?= python3
CARGO ?= cargo
GO ?= go
NODE ?= node
NPM ?= npm
CC ?= cc
CXX ?= c++
ROUNDS ?= 100
FORKS ?= 10000
RACES ?= 100000
export DIST CARGO PYTHON GO NODE NPM CC CXX

# What the released command is built with, and what the tests and the documentation of this repository are built with.
COMMAND_FEATURES := cli,emulator
FEATURES := cli,emulator,capi,reqwest,tower

# How a shared library is named. How it is linked says packaging/library.sh.
ifeq ($(shell uname -s),Darwin)
  LIBRARY := libtokenwell.0.dylib
  LINK_NAME := libtokenwell.dylib
else
  LIBRARY := libtokenwell.so.0
  LINK_NAME := libtokenwell.so
endif
export LIBRARY LINK_NAME TARGET FEATURES

.PHONY: help demo test test-more rows storm forks races library header service-accounts licenses bench lint install uninstall packages clean
help:
	@echo "make demo      build and install the packages, and show five callers on the built-in emulator"
	@echo "make test      run every test in every language"
	@echo "make test-more run what takes longer or needs more tools; SUITES=\"storm shellcheck\" chooses, SHORT=1 shortens"
	@echo "make rows      the tests of reported faults: OLD=COMMAND, an older build of the command, must fail each, and this build must pass"
	@echo "make storm     64 processes of all languages get a token at the same time, ROUNDS times (now $(ROUNDS))"
	@echo "make forks     FORKS times (now $(FORKS)) a process forks at a chosen moment; nothing else should be running"
	@echo "make races     RACES times (now $(RACES)) a file of the cache is replaced by a link while it is in use"
	@echo "make library   build the library, the command and the wrappers into dist/; with zig (packaging/zig_version) for glibc 2.17"
	@echo "make packages  build the packages that users install into dist/packages/"
	@echo "make install   install the library, its headers, the command, its manual pages and completions into PREFIX (now $(PREFIX)); DESTDIR and LIBDIR are used too"
	@echo "make uninstall remove what make install installed"
	@echo "make bench     measure tokenwell and comparable libraries"
	@echo "make header    generate include/tokenwell.h from src/ffi"
	@echo "make service-accounts write the typed service account operations of Python, Go and Node from bindings/service_accounts"
	@echo "make licenses  write packaging/licenses/THIRD-PARTY.txt, the licenses of the crates"
	@echo "make lint      check formatting, clippy, documentation and prose, and three other targets"
	@echo "make clean     remove what was built"

demo: tools-demo library
	@sh examples/install.sh "$(DIST)"
	@$(PYTHON) examples/demo.py

test: tools-test library
	@sh tests/tiers/test.sh

test-more: tools-test library
	@sh tests/tiers/more.sh $(SUITES)

rows: tools-library
	@test -n "$(OLD)" || { echo "rows: OLD is missing: name the command of an older build, make rows OLD=path/to/tokenwell" >&2; exit 1; }
	@$(PYTHON) tests/rows.py --fail "$(OLD)"
	@$(CARGO) build --quiet --locked --features $(FEATURES)
	@$(PYTHON) tests/rows.py --pass "$(TARGET)/debug/tokenwell"

storm: tools-demo library
	@sh tests/storm/run.sh --rounds $(ROUNDS)

forks: tools-demo library
	@sh tests/forks.sh $(FORKS)

races: tools-library
	@if RACE_ROUNDS=$(RACES) $(CARGO) test --quiet --locked --features $(FEATURES) --test file_store -- i11_; then \
		echo "races: PASSED: $(RACES) rounds of each"; \
	else \
		echo "races: FAILED: see the lines above" >&2; exit 1; \
	fi

library: tools-library
	@echo "building the library and the command (the first time takes a minute or two) ..."
	@sh packaging/command.sh $(COMMAND_FEATURES)
	@sh packaging/library.sh "$(TARGET)/release/c"
	@sh packaging/stage.sh "$(TARGET)/release" "$(LIBRARY)" "$(LINK_NAME)" "$(VERSION)"

header:
	@TOKENWELL_WRITE_HEADER=1 $(CARGO) test --quiet --locked --features $(FEATURES) --test header

# tests/generated.py fails if operations.json was changed since.
service-accounts:
	$(call need,$(PYTHON),it writes the files; install Python 3.9 or newer)
	@$(PYTHON) bindings/service_accounts/generate.py

# tests/licenses.py fails if a crate was added or updated since.
licenses: tools-library
	$(call need,$(PYTHON),it collects the licenses; install Python 3.9 or newer)
	@$(PYTHON) packaging/licenses.py

bench: tools-test library
	@sh benches/run.sh

lint: tools-library
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --features $(FEATURES),keyring -- -D warnings
	$(CARGO) clippy --locked --test storm --test processes --features $(FEATURES) -- -D warnings
	$(CARGO) clippy --locked --lib -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --features $(FEATURES)
	$(CARGO) test --quiet --locked --features $(FEATURES) --test prose
	@sh tests/foreign_targets.sh

install: library
	@sh bindings/c/install.sh "$(DIST)" "$(DESTDIR)" "$(PREFIX)" "$(LIBDIR)"

uninstall:
	@sh bindings/c/install.sh --uninstall "$(DESTDIR)" "$(PREFIX)" "$(LIBDIR)"

packages: tools-packages library
	@sh packaging/packages.sh "$(DIST)" "$(DIST)/packages"

clean:
	$(CARGO) clean
	$(MAKE) -s -C bindings/c clean
	rm -rf $(DIST) bindings/node/node_modules tests/single_flight_model/target

need = @command -v $(firstword $(1)) >/dev/null 2>&1 || { echo "tokenwell: $(firstword $(1)) is missing: $(2)" >&2; exit 1; }

.PHONY: tools-library tools-packages tools-demo tools-test
tools-library:
	$(call need,$(CARGO),it builds the library; install Rust 1.89 or newer from your distribution or with rustup)
	$(call need,$(CC),Rust links with it; install gcc or clang)
ifneq ($(shell uname -s),Darwin)
	$(call need,objcopy,the static library is made with it; install binutils)
endif
tools-packages: tools-library
	@sh packaging/packages.sh --check
	$(call need,$(PYTHON),it builds the Python packages; install Python 3.9 or newer)
	$(call need,$(GO),it builds the Go modules; install Go 1.24 or newer)
	$(call need,$(NODE),it builds the Node packages; install Node.js 20.4 or newer)
	@sh packaging/node_headers.sh >/dev/null
	$(call need,readelf,it tells what a package needs; install binutils)
tools-demo: tools-packages
	$(call need,$(NPM),it installs the Node package; it comes with Node.js)
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "tokenwell: the Python module ensurepip is missing: the Python package is installed in a virtual environment; install python3-venv" >&2; exit 1; }
	$(call need,pkg-config,C programs find the library with it)
tools-test: tools-demo
	$(call need,$(CXX),the header must be clean in C++ too; install g++ or clang)
	$(call need,valgrind,the C tests run under it)
	$(call need,nm,the exported symbols are compared with the header; install binutils)
	$(call need,curl,the examples in the help use it)
	$(call need,jq,the examples in the help use it)
	$(call need,strace,the tests of the file store stop a writer at every system call)
