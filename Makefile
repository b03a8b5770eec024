# vigie: make help lists the targets.

VERSION = 0.1.0
BUILD = build
PREFIX = /usr/local
CFLAGS = -O2 -g
WERROR ?=

# What the code needs, whatever CFLAGS says.
override CPPFLAGS += -I. -D_GNU_SOURCE -DVIGIE_VERSION='"$(VERSION)"'
WARNINGS = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wformat=2 $(if $(WERROR),-Werror)
COMPILE = $(CC) -std=c11 $(CPPFLAGS) $(WARNINGS) $(CFLAGS) -pthread

COMMON_LIBS = -lz -lcjson -linih -lm
LIBS_fcgi = -lfcgi -lsqlite3 -lzstd -lcurl $(COMMON_LIBS)
LIBS_collector = -lproc2 -lmnl -lcurl $(COMMON_LIBS)
LIBS_alert = -lcurl $(COMMON_LIBS)
LIBS_forecast = -lcurl $(COMMON_LIBS)
LIBS_top = -lncursesw -ltinfo -lcurl $(COMMON_LIBS)
LIBS_common = -lcurl $(COMMON_LIBS)

# What is made by the build of other files than C.
GENERATED_forecast = $(BUILD)/forecast/builtin_model.o

PROGRAMS = fcgi collector alert forecast
BINARIES = $(PROGRAMS:%=$(BUILD)/vigie-%) $(BUILD)/vigie
MANUAL = $(wildcard deploy/man/*.1 deploy/man/*.8) $(BUILD)/man/vigie.conf.5

# Of a program's folder and the wings in it.
objects = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c $(1)/*/*.c)) $(GENERATED_$(1))
UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c))
# Those in which threads run, in the program's code or around it.
TSAN_TESTS = $(filter $(addprefix %/alert/test_,alertmanager hook service uplink) \
	$(addprefix %/collector/test_,sender service syncer uplink) $(addprefix %/common/test_,http log) \
	$(addprefix %/fcgi/test_,budget collectors gate keeper outbox pool reasons routes service shared_reads silences store tokens writer) \
	$(addprefix %/remote/test_,remote store_influxdb2) $(addprefix %/sqlite/test_,read_sealed scan_helper seal store_sqlite) \
	$(addprefix %/forecast/test_,boost service uplink),$(UNIT_TESTS))

# The builds under the sanitizers. The tests of the threads need no program.
ASAN = BUILD=$(BUILD)/asan CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all'
TSAN = BUILD=$(BUILD)/tsan CFLAGS='-O1 -g -fsanitize=thread' BINARIES= MANUAL= UNIT_TESTS='$(TSAN_TESTS:$(BUILD)/%=$(BUILD)/tsan/%)'

BENCHES = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

.PHONY: all run test check check-unit check-integration check-asan check-tsan sanitized tests analyze coverage mutation check-packages bench store-bench forecast-bench soak prior benches install snippets deb clean help fault
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BINARIES) $(MANUAL)              ## build the programs and their manual into build/

run:                                    ## install what is missing, build, and run everything in the foreground
	deploy/install-deps run
	+$(MAKE) --no-print-directory all
	BUILD=$(BUILD) deploy/run

test:                                   ## install what is missing, build, and pass all tests
	deploy/install-deps test
	+$(MAKE) --no-print-directory check

check: tests                            ## build and pass all tests
	BUILD=$(BUILD) tests/run-all $(UNIT_TESTS)

check-unit: tests                       ## the unit tests alone
	BUILD=$(BUILD) tests/run-all --unit $(UNIT_TESTS)

check-integration: all                  ## the integration tests alone
	BUILD=$(BUILD) tests/run-all --integration

check-asan:                             ## the same tests under ASan and UBSan
	+$(MAKE) --no-print-directory check $(ASAN)

check-tsan:                             ## the tests of the threads under TSan
	+$(MAKE) --no-print-directory check-unit $(TSAN)

sanitized:                              ## install what is missing, and build what check-asan, check-tsan and fuzz run
	deploy/install-deps fuzz
	+$(MAKE) --no-print-directory tests $(ASAN)
	+$(MAKE) --no-print-directory tests $(TSAN)
	+$(MAKE) --no-print-directory fuzz-targets $(FUZZING)

tests: all $(UNIT_TESTS)

ANALYZERS = gcc clang
analyze:                                ## install what is missing, and have gcc's analyzer and clang's read the code
	deploy/install-deps analyze
	ANALYZERS='$(ANALYZERS)' tests/analyze

coverage:                               ## install what is missing, pass the unit tests and those of INTEGRATION, and print the branches taken
	deploy/install-deps coverage
	+$(MAKE) --no-print-directory coverage-run BUILD=$(BUILD)/coverage CFLAGS='-O1 -g --coverage -fprofile-update=atomic'

check-packages:                         ## install what is missing, and test the packages in clean roots of Debian 12 and 13 (as root)
	deploy/install-deps packages
	tests/packages/run

bench:                                  ## install what is missing, and print the measured figures (three quarters of an hour)
	deploy/install-deps bench
	+$(MAKE) --no-print-directory all benches
	BUILD=$(BUILD) tests/bench/store
	BUILD=$(BUILD) tests/bench/page
	BUILD=$(BUILD) tests/bench/run

store-bench:                            ## print those of the store alone, beside another version's, BEFORE=its build (20 minutes)
	deploy/install-deps bench
	+$(MAKE) --no-print-directory all benches
	BUILD=$(BUILD) tests/bench/store

forecast-bench: all                     ## print how well crossings are seen coming, and what it costs (a quarter of an hour)
	BUILD=$(BUILD) tests/bench/forecast
	BUILD=$(BUILD) tests/bench/climbs
	BUILD=$(BUILD) tests/bench/run forecast

fault:                                  ## install what is missing, and let all that can go wrong do so, ROUNDS (1) times; SEED says how
	deploy/install-deps test
	+$(MAKE) --no-print-directory all benches $(BUILD)/fault/faults.so
	BUILD=$(BUILD) ROUNDS=$(ROUNDS) tests/fault/run

soak:                                   ## install what is missing, and print what grows while all of it runs for MINUTES (60)
	deploy/install-deps test
	+$(MAKE) --no-print-directory all benches
	BUILD=$(BUILD) tests/soak/run

prior: all                              ## learn the model that is built in anew
	BUILD=$(BUILD) forecast/make_prior forecast/builtin.model

benches: $(BENCHES) $(BUILD)/bench/clock.so $(BUILD)/bench/slow_sync.so

install: all                            ## install the programs and their manual under DESTDIR and PREFIX
	install -d '$(DESTDIR)$(PREFIX)/bin' $(foreach section,1 5 8,'$(DESTDIR)$(PREFIX)/share/man/man$(section)')
	install $(BINARIES) '$(DESTDIR)$(PREFIX)/bin'
	install -m 0644 $(filter %.1,$(MANUAL)) '$(DESTDIR)$(PREFIX)/share/man/man1'
	install -m 0644 $(filter %.5,$(MANUAL)) '$(DESTDIR)$(PREFIX)/share/man/man5'
	install -m 0644 $(filter %.8,$(MANUAL)) '$(DESTDIR)$(PREFIX)/share/man/man8'

snippets:                               # what a site of the system's own nginx includes
	deploy/nginx/make-snippets '$(BUILD)/snippets'

# Built from a copy, since packages and what they are made of would otherwise stand in the checkout and beside it.
deb:                                    ## install what is missing, and build the Debian packages into build/deb/
	deploy/install-deps deb
	rm -rf '$(BUILD)/deb'
	mkdir -p '$(BUILD)/deb/vigie-$(VERSION)'
	tar -c --exclude-vcs --exclude='./$(BUILD)' --exclude=./build . | tar -x -C '$(BUILD)/deb/vigie-$(VERSION)'
	cd '$(BUILD)/deb/vigie-$(VERSION)' && dpkg-buildpackage --build=binary --no-sign -J
	rm -rf '$(BUILD)/deb/vigie-$(VERSION)'

clean:                                  ## remove what was built
	rm -rf '$(BUILD)'

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s  %s\n", $$1, $$2 }' Makefile

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c $< -o $@

# What a folder holds beside its main.c, for the tests.
$(BUILD)/lib%.a:
	@rm -f $@
	ar rcs $@ $(filter-out %/main.o,$^)

# What the unit tests share.
$(BUILD)/libsupport.a: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/support/*.c))

# The model that is built in, as a string.
$(BUILD)/forecast/builtin_model.c: forecast/builtin.model Makefile
	@mkdir -p $(@D)
	sed -e 's/.*/"&\\n"/' -e '1i #include "forecast/builtin_model.h"\nconst char builtin_model[] =' -e '$$a ;' $< > $@

$(BUILD)/forecast/builtin_model.o: $(BUILD)/forecast/builtin_model.c
	$(COMPILE) -MMD -MP -c $< -o $@

# The manual of the configuration, whose options are those of the table in common/config.c.
$(BUILD)/man/options: $(BUILD)/deploy/man/options.o $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) $^ -o $@ $(LIBS_common)

$(BUILD)/man/options.mdoc: $(BUILD)/man/options
	$< > $@

$(BUILD)/man/vigie.conf.5: deploy/man/vigie.conf.5.in $(BUILD)/man/options.mdoc
	sed -e '/^@OPTIONS@$$/{r $(BUILD)/man/options.mdoc' -e 'd}' $< > $@

define folder_rules
$(BUILD)/lib$(1).a: $(call objects,$(1))
$(BUILD)/tests/$(1)/%: $(BUILD)/tests/unit/$(1)/%.o $(BUILD)/libsupport.a $(BUILD)/lib$(1).a $(BUILD)/libcommon.a
	@mkdir -p $$(@D)
	$(COMPILE) $(LDFLAGS) $$^ -o $$@ -lcmocka $(LIBS_$(1))
endef
$(foreach folder,common top $(PROGRAMS),$(eval $(call folder_rules,$(folder))))

define program_rules
$(BUILD)/vigie-$(1): $(call objects,$(1)) $(BUILD)/libcommon.a
	$(COMPILE) $(LDFLAGS) $$^ -o $$@ $(LIBS_$(1))
endef
$(foreach program,$(PROGRAMS),$(eval $(call program_rules,$(program))))

# What is done by hand; the folders are those of its commands.
$(BUILD)/vigie: $(call objects,top) $(BUILD)/libcommon.a
	$(COMPILE) $(LDFLAGS) $^ -o $@ $(LIBS_top)

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libcollector.a $(BUILD)/libfcgi.a $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) $^ -o $@ $(LIBS_collector) $(LIBS_fcgi)

$(BUILD)/bench/%.so: tests/bench/preload/%.c Makefile
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) -shared -fPIC $< -o $@

ROUNDS = 1
$(BUILD)/fault/%.so: tests/fault/%.c Makefile
	@mkdir -p $(@D)
	$(COMPILE) $(LDFLAGS) -shared -fPIC $< -o $@

# Fuzzing, see tests/fuzz/README.md.
SECONDS = 10
FUZZ = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*/*.c))
FUZZ_CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow \
	-fno-sanitize-recover=all
FUZZING = BUILD=$(BUILD)/fuzz CC=clang CFLAGS='$(FUZZ_CFLAGS)'

.PHONY: fuzz fuzz-run fuzz-targets
fuzz:                                   ## install what is missing, and fuzz all that reads input, SECONDS (10) each
	deploy/install-deps fuzz
	+$(MAKE) --no-print-directory fuzz-run $(FUZZING)

fuzz-targets: $(FUZZ:%=$(BUILD)/targets/%)

fuzz-run: fuzz-targets
	BUILD=$(BUILD) tests/fuzz/run $(SECONDS) $(FUZZ:%=$(BUILD)/targets/%)

# What a target defines takes the place of the library's.
define fuzz_rules
$(BUILD)/targets/$(1)/%: $(BUILD)/tests/fuzz/$(1)/%.o $(BUILD)/lib$(1).a $(BUILD)/libcommon.a
	@mkdir -p $$(@D)
	$(COMPILE) $(LDFLAGS) -fsanitize=fuzzer -Wl,-z,muldefs $$^ -o $$@ $(LIBS_$(1))
endef
$(foreach folder,common $(PROGRAMS),$(eval $(call fuzz_rules,$(folder))))

# Coverage: the unit tests, and those of the integration tests that use most of the programs.
INTEGRATION = test_01_run test_02_rest test_05_alert test_08_collector test_12_forecast test_14_backtest test_18_database test_25_sealed \
	test_39_top test_40_silences test_42_starts

.PHONY: coverage-run
coverage-run: all $(UNIT_TESTS)
	find '$(BUILD)' -name '*.gcda' -delete
	BUILD=$(BUILD) tests/run-all --unit $(UNIT_TESTS)
	cd tests/integration && BUILD='$(abspath $(BUILD))' /usr/bin/python3 -B -m unittest $(INTEGRATION)
	BUILD=$(BUILD) tests/coverage

# Mutation, see CONTRIBUTING.md.
MUTANTS = 100

mutation: export COMPILE := $(COMPILE)
$(foreach folder,common top $(PROGRAMS),$(eval mutation: export LIBS_$(folder) := $(LIBS_$(folder))))
mutation: $(UNIT_TESTS)                 ## change what decides, MUTANTS (100; 0: all) times, and print what no unit test notices
	BUILD=$(BUILD) tests/mutation/run $(MUTANTS) $(or $(SEED),1) $(FILES)

# Not those of the builds in it, which may be under way.
-include $(shell find $(BUILD) \( -path $(BUILD)/asan -o -path $(BUILD)/tsan -o -path $(BUILD)/fuzz -o -path $(BUILD)/coverage \) -prune -o -name '*.d' -print 2>/dev/null)
