# SPDX-License-Identifier: Apache-2.0
# make            the programs in build/
# make check      the quick rings (unit, golden); scripts/test runs them all
# make check-attacks   every attack, natively and under gae-run; on the hand-over, DNS and URL Fetch, too
# make bench      speed, as ratios to native
# make fuzz       each fuzz target for FUZZ_SECONDS (600)
# make soak       a million connects: what is left of them
# make install    PREFIX, DESTDIR
VERSION := 0.1.0

PREFIX ?= /usr/local
bindir ?= $(PREFIX)/bin
datadir ?= $(PREFIX)/share
mandir ?= $(datadir)/man
includedir ?= $(PREFIX)/include
sysconfdir ?= /etc
DESTDIR ?=

BUILD ?= build
CC ?= cc
PKG_CONFIG ?= pkg-config
INSTALL ?= install
CFLAGS ?= -O2 -g

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

cc-option = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wpointer-arith -Wcast-qual -Wundef -Wimplicit-fallthrough $(if $(WERROR),-Werror)
# A sanitizer build and _FORTIFY_SOURCE do not go together.
ifeq ($(SANITIZE),)
HARDEN := -U_FORTIFY_SOURCE $(call cc-option,-D_FORTIFY_SOURCE=3) -fstack-protector-strong \
	$(call cc-option,-fstack-clash-protection) $(call cc-option,-fcf-protection=full) \
	$(call cc-option,-ftrivial-auto-var-init=zero)
else
HARDEN := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
PROJECT_CPPFLAGS := -D_GNU_SOURCE -DGAE_RUN_VERSION='"$(VERSION)"' -DGAE_RUN_DATADIR='"$(datadir)/gae-run"' \
	-DGAE_RUN_SYSCONFDIR='"$(sysconfdir)/gae-run"' -Isupervisor -I.
PROJECT_CFLAGS := -std=c11 -fPIE -pthread -fno-strict-overflow -fno-delete-null-pointer-checks \
	-ffile-prefix-map=$(CURDIR)=. $(WARN) $(HARDEN)
PROJECT_LDFLAGS = $(PIE) -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed

PIE := -pie

LIBS_CAP := $(shell $(PKG_CONFIG) --libs libcap 2>/dev/null || echo -lcap)
LIBS_YAML := $(shell $(PKG_CONFIG) --libs yaml-0.1 2>/dev/null || echo -lyaml)
LIBS_SQLITE := $(shell $(PKG_CONFIG) --libs sqlite3 2>/dev/null || echo -lsqlite3)
LIBS_CARES := $(shell $(PKG_CONFIG) --libs libcares 2>/dev/null || echo -lcares)

# gae-run and gae-supervisor are linked whole where the libraries are there as archives: each shared
# one is 0.1 ms of every start, and what LD_PRELOAD names is meant for the program, not for them.
# STATIC= links them as the others are.  The linker warns of dlopen() and getservbyname(), which SQLite
# and c-ares name: extensions are off, and no look-up of ours is by the name of a service.
ifeq ($(origin STATIC)$(SANITIZE),undefined)
STATIC := $(shell printf 'int main(void) { return 0; }' | $(CC) -static-pie -x c - -o /dev/null \
	$(LIBS_CARES) $(LIBS_SQLITE) $(LIBS_YAML) $(LIBS_CAP) -lm 2>/dev/null && echo 1)
endif
NO_WARNINGS := $(shell printf 'int main(void) { return 0; }' | $(CC) -Wl,--no-warnings -x c - -o /dev/null 2>/dev/null && \
	echo -Wl,--no-warnings)

# gae-urlfetch is made where libcurl and the C sources of llhttp are (Debian: node-llhttp).
LLHTTP ?= /usr/share/llhttp
LLHTTP_INCLUDE ?= /usr/share/include
LIBS_CURL := $(shell $(PKG_CONFIG) --libs libcurl 2>/dev/null)
HAVE_URLFETCH := $(and $(LIBS_CURL),$(wildcard $(LLHTTP)/llhttp.c))

src = $(sort $(wildcard $(addsuffix /*.c,$(1))))
MAINS := launcher/main.c supervisor/main.c supervisor/policy/gae_policy.c supervisor/urlfetch/main.c
MAINS += supervisor/status/gae_top.c
# Added with its program: supervisor/ledger/gae_usage.c
MAINS += $(wildcard supervisor/ledger/gae_usage.c)
SHARED := $(call src,supervisor/shared/base supervisor/shared/wire)
LAUNCHER := $(filter-out $(MAINS),$(call src,launcher))
ENGINE := $(filter-out $(MAINS),$(call src,supervisor/net supervisor/policy))
# Of these, what only gae-policy needs.
COMMANDS := $(filter supervisor/policy/command%,$(ENGINE))
RECORDS := $(filter-out $(MAINS),$(call src,supervisor/ledger supervisor/status supervisor/handover))
# Of these, what only gae-usage and gae-top need.
READER := $(filter supervisor/ledger/reader_%,$(RECORDS))
TOP := $(filter supervisor/status/top_%,$(RECORDS))
SUPERVISOR := $(filter-out $(MAINS),$(call src,supervisor supervisor/sys))
# Pure: tested by unit tests and fuzzers without libcurl's loop.
URLFETCH := $(if $(HAVE_URLFETCH),$(filter-out $(MAINS),$(call src,supervisor/urlfetch)))
LLHTTP_OBJ := $(if $(HAVE_URLFETCH),$(addprefix $(BUILD)/obj/llhttp/,api.o http.o llhttp.o))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

PROGRAMS := $(addprefix $(BUILD)/,gae-run gae-supervisor gae-policy gae-usage gae-top $(if $(HAVE_URLFETCH),gae-urlfetch))

.PHONY: all
all: $(PROGRAMS)
ifeq ($(HAVE_URLFETCH),)
	@echo 'note: gae-urlfetch is left out: it needs libcurl and the sources of llhttp (scripts/setup installs both)'
endif

$(BUILD)/gae-run: $(call obj,launcher/main.c $(LAUNCHER) $(SHARED))
$(BUILD)/gae-run: LIBS = $(LIBS_YAML) $(LIBS_CAP)
$(BUILD)/gae-supervisor: $(call obj,supervisor/main.c $(SUPERVISOR) $(filter-out $(READER) $(TOP),$(RECORDS)) \
	$(filter-out $(COMMANDS),$(ENGINE)) $(SHARED))
$(BUILD)/gae-supervisor: LIBS = $(LIBS_CARES) $(LIBS_SQLITE) $(LIBS_CAP) $(if $(STATIC),-lm)
ifneq ($(STATIC),)
$(BUILD)/gae-run $(BUILD)/gae-supervisor: PIE = -static-pie $(NO_WARNINGS)
endif
$(BUILD)/gae-policy: $(call obj,supervisor/policy/gae_policy.c $(ENGINE) $(SHARED))
$(BUILD)/gae-policy: LIBS = $(LIBS_CARES)
$(BUILD)/gae-usage: $(call obj,supervisor/ledger/gae_usage.c $(filter supervisor/ledger/%,$(RECORDS)) \
	supervisor/net/addr.c $(SHARED))
$(BUILD)/gae-usage: LIBS = $(LIBS_SQLITE)
# Of the library the linker takes what it uses: neither c-ares nor SQLite.
$(BUILD)/gae-top: $(call obj,supervisor/status/gae_top.c $(TOP)) $(BUILD)/libgae.a
$(BUILD)/gae-urlfetch: $(call obj,supervisor/urlfetch/main.c $(URLFETCH) $(addprefix supervisor/net/,addr.c relay_place.c sock_diag.c) $(SHARED)) $(LLHTTP_OBJ)
$(BUILD)/gae-urlfetch: LIBS = $(LIBS_CURL)

$(PROGRAMS):
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(PROJECT_CFLAGS) $(LDFLAGS) $(PROJECT_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(PROJECT_CPPFLAGS) $(CFLAGS) $(PROJECT_CFLAGS) -MMD -MP -c -o $@ $<

# Generated code of others: its warnings are theirs.
$(BUILD)/obj/llhttp/%.o: $(LLHTTP)/%.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -std=c11 -fPIE $(HARDEN) $(LLHTTP_FLAGS) -w -c -o $@ $<
LLHTTP_FLAGS := -isystem $(LLHTTP_INCLUDE) -isystem $(LLHTTP_INCLUDE)/llhttp -DLLHTTP_STRICT_MODE=1
$(BUILD)/obj/supervisor/urlfetch/%.o $(BUILD)/obj/tests/unit/urlfetch%.o $(BUILD)/obj/tests/fuzz/http_%.o: PROJECT_CPPFLAGS += $(LLHTTP_FLAGS)

# Rebuild when compiler or flags change.
FLAGS := $(STATIC) $(CC) $(CPPFLAGS) $(PROJECT_CPPFLAGS) $(CFLAGS) $(PROJECT_CFLAGS) $(LDFLAGS)
.PHONY: force
$(BUILD)/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS))' >$@

# --- tests: every tests/unit/*.c is a Criterion suite; one binary a ring ---
LIBRARY := $(BUILD)/libgae.a
$(LIBRARY): $(call obj,$(SUPERVISOR) $(RECORDS) $(ENGINE) $(URLFETCH) $(SHARED) $(LAUNCHER)) $(LLHTTP_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# What tests a part that is left out is left out as well.
LEFT_OUT := $(if $(HAVE_URLFETCH),,tests/unit/urlfetch%.c tests/live/urlfetch%.c tests/fuzz/http_%.c tests/fuzz/client_hello.c tests/bench/fetch.c)
$(BUILD)/tests/unit: $(call obj,$(filter-out $(LEFT_OUT),$(call src,tests/unit))) $(LIBRARY)
$(BUILD)/tests/live: $(call obj,$(filter-out $(LEFT_OUT),$(call src,tests/live))) $(LIBRARY)
$(BUILD)/tests/unit $(BUILD)/tests/live:
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(PROJECT_CFLAGS) $(LDFLAGS) $(PROJECT_LDFLAGS) -o $@ $^ \
		-lcriterion $(LIBS_CARES) $(LIBS_SQLITE) $(LIBS_CURL) $(LIBS_YAML) $(LIBS_CAP) -lseccomp

# --- small programs of the tests, one file each: tests/programs/NAME.c -> build/tests/programs/NAME ---
TEST_PROGRAMS := $(patsubst tests/programs/%.c,$(BUILD)/tests/programs/%,$(call src,tests/programs))
.PHONY: test-programs
test-programs: $(TEST_PROGRAMS)
$(BUILD)/tests/programs/%: tests/programs/%.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -D_GNU_SOURCE -Isupervisor $(CFLAGS) -std=c11 -pthread $(filter-out -Wcast-qual,$(WARN)) -o $@ \
		$(filter %.c %.o,$^) $(if $(filter %.o,$^),-fPIE $(PROJECT_LDFLAGS)) $(LIBS)
$(BUILD)/tests/programs/calls $(BUILD)/tests/programs/corners: tests/programs/compared.h
$(BUILD)/tests/programs/bench: tests/bench/times.h
# The same objects with shared libraries, for tests that put a library before them (LD_PRELOAD).
FOR_PRELOAD := $(addprefix $(BUILD)/tests/shared/,gae-run gae-supervisor)
test-programs: $(FOR_PRELOAD)
$(BUILD)/tests/shared/gae-run: $(call obj,launcher/main.c $(LAUNCHER) $(SHARED))
$(BUILD)/tests/shared/gae-run: LIBS = $(LIBS_YAML) $(LIBS_CAP)
$(BUILD)/tests/shared/gae-supervisor: $(call obj,supervisor/main.c $(SUPERVISOR) $(filter-out $(READER) $(TOP),$(RECORDS)) \
	$(filter-out $(COMMANDS),$(ENGINE)) $(SHARED))
$(BUILD)/tests/shared/gae-supervisor: LIBS = $(LIBS_CARES) $(LIBS_SQLITE) $(LIBS_CAP)
$(FOR_PRELOAD):
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(PROJECT_CFLAGS) $(LDFLAGS) $(PROJECT_LDFLAGS) -o $@ $^ $(LIBS)
# It speaks the wire, and so is made of the same code.
$(BUILD)/tests/programs/fake_supervisor: $(call obj,$(SHARED))
# It writes the ledger as the supervisor does.
$(BUILD)/tests/programs/ledger_writer: $(call obj,$(filter-out $(READER),$(filter supervisor/ledger/%,$(RECORDS))) $(SHARED))
$(BUILD)/tests/programs/ledger_writer: LIBS = $(LIBS_SQLITE)

# --- attacks: tests/attacks/NAME.c -> build/tests/attacks/NAME; tests/attacks/table.py says what each mode tries ---
ATTACKS := $(patsubst tests/attacks/%.c,$(BUILD)/tests/attacks/%,$(call src,tests/attacks))
test-programs: $(ATTACKS)
$(ATTACKS): $(BUILD)/tests/attacks/%: tests/attacks/%.c tests/attacks/attack.h $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -D_GNU_SOURCE $(CFLAGS) -std=c11 -pthread $(filter-out -Wcast-qual,$(WARN)) -o $@ $<
.PHONY: check-attacks
check-attacks: all test-programs
	$(Q)BUILD=$(BUILD) tests/attacks/run

# --- examples, as a user would build them ---
EXAMPLES := $(patsubst supervisor/handover/examples/%.c,$(BUILD)/examples/%,$(call src,supervisor/handover/examples))
.PHONY: examples
examples: $(EXAMPLES)
test-programs: $(EXAMPLES)
$(BUILD)/examples/%: supervisor/handover/examples/%.c supervisor/shared/gae_sockets.h $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -D_GNU_SOURCE -Isupervisor/shared $(CFLAGS) -std=c11 $(WARN) -o $@ $<

comma := ,
# --- benchmarks of one part in-process: tests/bench/NAME.c -> build/tests/bench/NAME ---
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(filter-out $(LEFT_OUT),$(call src,tests/bench)))
.PHONY: bench-programs
bench-programs: $(BENCHES)
$(BENCHES): $(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(PROJECT_CFLAGS) $(LDFLAGS) $(PROJECT_LDFLAGS) -o $@ $^ $(LIBS_CARES) $(LIBS_SQLITE) $(LIBS_CURL) $(LIBS_YAML) $(LIBS_CAP)

# What accounting costs: a supervisor whose account is told nothing, for scripts/bench alone.
UNACCOUNTED := account_may_connect account_connected account_failed account_not_connected account_may_begin \
	sock_tuple_of sock_diag_watch
bench-programs: $(BUILD)/tests/bench/unaccounted/gae-supervisor $(BUILD)/tests/bench/unaccounted/gae-run
$(BUILD)/tests/bench/unaccounted/gae-supervisor: $(call obj,tests/bench/unaccounted/account.c supervisor/main.c) $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(PROJECT_CFLAGS) $(LDFLAGS) $(PROJECT_LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(UNACCOUNTED)) -o $@ $^ \
		$(LIBS_CARES) $(LIBS_SQLITE) $(LIBS_CURL) $(LIBS_YAML) $(LIBS_CAP)
$(BUILD)/tests/bench/unaccounted/gae-run: $(BUILD)/gae-run
	@mkdir -p $(@D)
	$(Q)cp -f $< $@

# --- fuzz targets: tests/fuzz/NAME.c, clang's libFuzzer, corpus in tests/fuzz/corpus/NAME ---
# The dispatcher's meets a kernel of its own: tests/fuzz/fake.
FAKES := target_read target_read_both target_read_vector target_write target_scatter target_duplicate target_group \
	target_process target_name target_raise unix_has_our_uid notify_alive notify_answer notify_continue notify_give \
	loop_add trace_decided connect bind shutdown sendmsg sendto send recvmsg socket getsockopt setsockopt getsockname getpeername \
	poll fcntl
build-fuzz/dispatch: build-fuzz/obj/tests/fuzz/fake/kernel.o build-fuzz/obj/tests/fuzz/fake/fence.o
build-fuzz/dispatch: FUZZ_LDFLAGS = $(addprefix -Wl$(comma)--wrap=,$(FAKES))
# All of it in build-fuzz, with clang and flags of its own, whatever this make was called with.
FUZZERS := $(patsubst tests/fuzz/%.c,build-fuzz/%,$(filter-out $(LEFT_OUT),$(call src,tests/fuzz)))
FUZZ_SECONDS ?= 600
.PHONY: fuzzers fuzz
ifeq ($(BUILD),build-fuzz)
fuzzers: $(FUZZERS)
$(FUZZERS): build-fuzz/%: build-fuzz/obj/tests/fuzz/%.o $(LIBRARY)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(CFLAGS) $(PROJECT_CFLAGS) $(PROJECT_LDFLAGS) -fsanitize=fuzzer $(FUZZ_LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY) $(LIBS_CARES) $(LIBS_SQLITE) $(LIBS_CURL) $(LIBS_YAML) $(LIBS_CAP) -lresolv
else
fuzzers:
	+$(Q)$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang CFLAGS='-O1 -g' \
		SANITIZE=fuzzer-no-link,address,undefined fuzzers
endif
fuzz: fuzzers
	$(Q)scripts/fuzz $(FUZZ_SECONDS) $(FUZZERS)

.PHONY: check lint format bench soak golden-update clean
check: all $(BUILD)/tests/unit
	$(Q)$(BUILD)/tests/unit
	$(Q)BUILD=$(BUILD) tests/golden/run

lint:
	$(Q)scripts/lint

format:
	$(Q)clang-format -i $$(git -c safe.directory='*' ls-files '*.c' '*.h')

# SOAK connects, and what they leave behind.
SOAK ?= 1000000
soak: all test-programs
	$(Q)SOAK=$(SOAK) BUILD=$(BUILD) tests/act/run "robust: a soak"

bench: all test-programs bench-programs
	$(Q)scripts/bench

golden-update: all
	$(Q)UPDATE=1 tests/golden/run

clean:
	$(Q)rm -rf $(BUILD) build-fuzz build-asan build-clang build-install

# --- install ---
MAN1 := $(sort $(wildcard launcher/*.1 supervisor/*.1 supervisor/*/*.1))
MAN3 := $(sort $(wildcard supervisor/*/*.3))
MAN5 := $(sort $(wildcard supervisor/policy/*.5))
# Of each of these programs beside it: NAME.bash, NAME.zsh, NAME.fish.
COMPLETIONS := $(sort $(wildcard launcher/*.bash supervisor/*/*.bash))
# The pages name the default places.
install-pages = set -e; for page in $(1); do \
	sed -e 's|/usr/local/share|$(datadir)|g; s|/etc/gae-run|$(sysconfdir)/gae-run|g' "$$page" \
		>"$(DESTDIR)$(mandir)/$(2)/$${page\#\#*/}"; chmod 644 "$(DESTDIR)$(mandir)/$(2)/$${page\#\#*/}"; done
.PHONY: install uninstall
install: all
	$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(datadir)/gae-run/policy.d/examples \
		$(DESTDIR)$(mandir)/man1 $(DESTDIR)$(mandir)/man3 $(DESTDIR)$(mandir)/man5 \
		$(DESTDIR)$(datadir)/gae-run/python $(DESTDIR)$(datadir)/gae-run/examples \
		$(DESTDIR)$(includedir) $(DESTDIR)$(sysconfdir)/gae-run/policy.d
	$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(bindir)
	$(INSTALL) -m 644 $(sort $(filter-out policy.d/examples,$(wildcard policy.d/*))) $(DESTDIR)$(datadir)/gae-run/policy.d
	$(INSTALL) -m 644 $(sort $(wildcard policy.d/examples/*)) $(DESTDIR)$(datadir)/gae-run/policy.d/examples
	$(call install-pages,$(MAN1),man1)
	$(call install-pages,$(MAN3),man3)
	$(call install-pages,$(MAN5),man5)
	$(INSTALL) -m 644 supervisor/shared/gae_sockets.h $(DESTDIR)$(includedir)
	$(INSTALL) -m 644 supervisor/handover/python/gae_sockets.py $(DESTDIR)$(datadir)/gae-run/python
	$(INSTALL) -m 644 $(sort $(wildcard supervisor/handover/examples/*)) $(DESTDIR)$(datadir)/gae-run/examples
	set -e; for file in $(basename $(COMPLETIONS)); do \
		$(INSTALL) -D -m 644 $$file.bash $(DESTDIR)$(datadir)/bash-completion/completions/$${file##*/}; \
		$(INSTALL) -D -m 644 $$file.zsh $(DESTDIR)$(datadir)/zsh/site-functions/_$${file##*/}; \
		$(INSTALL) -D -m 644 $$file.fish $(DESTDIR)$(datadir)/fish/vendor_completions.d/$${file##*/}.fish; done
uninstall:
	rm -f $(addprefix $(DESTDIR)$(bindir)/,$(notdir $(PROGRAMS)))
	rm -rf $(DESTDIR)$(datadir)/gae-run
	rm -f $(DESTDIR)$(includedir)/gae_sockets.h $(addprefix $(DESTDIR)$(mandir)/man3/,$(notdir $(MAN3)))
	for name in $(notdir $(basename $(COMPLETIONS))); do \
		rm -f $(DESTDIR)$(datadir)/bash-completion/completions/$$name \
			$(DESTDIR)$(datadir)/zsh/site-functions/_$$name \
			$(DESTDIR)$(datadir)/fish/vendor_completions.d/$$name.fish; done
	rmdir --ignore-fail-on-non-empty $(DESTDIR)$(sysconfdir)/gae-run/policy.d && \
		rmdir --ignore-fail-on-non-empty $(DESTDIR)$(sysconfdir)/gae-run || :
	rm -f $(addprefix $(DESTDIR)$(mandir)/man1/,$(notdir $(MAN1))) $(addprefix $(DESTDIR)$(mandir)/man5/,$(notdir $(MAN5)))

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
