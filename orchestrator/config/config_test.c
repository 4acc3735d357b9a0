/* Configuration: every refusal names its place and its remedy. */
#undef NDEBUG
#include "orchestrator/config/config.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "host/base/err.h"
#include "host/base/file.h"
#include "orchestrator/config/loopback.h"
#include "orchestrator/config/quantity.h"

static const struct {
	enum quantity_kind kind;
	const char *text;
	int r;
	uint64_t value;
} quantity_cases[] = {
        {QUANTITY_DURATION, "250ms", 0, 250000},
        {QUANTITY_DURATION, "2min", 0, 120000000},
        {QUANTITY_DURATION, "0us", 0, 0},
        {QUANTITY_DURATION, "250", -EINVAL, 0},
        {QUANTITY_DURATION, "ms", -EINVAL, 0},
        {QUANTITY_DURATION, "-1ms", -EINVAL, 0},
        {QUANTITY_DURATION, "1 s", -EINVAL, 0},
        {QUANTITY_DURATION, "999999999999d", -ERANGE, 0},
        {QUANTITY_DURATION, "99999999999999999999s", -ERANGE, 0},
        {QUANTITY_SIZE, "64KiB", 0, 65536},
        {QUANTITY_SIZE, "64kb", -EINVAL, 0},
        {QUANTITY_COUNT, "3", 0, 3},
        {QUANTITY_COUNT, "3x", -EINVAL, 0},
};

static void test_quantities(void)
{
	for (size_t i = 0; i < sizeof(quantity_cases) / sizeof(quantity_cases[0]); i++) {
		uint64_t value = 77;

		assert(quantity_parse(quantity_cases[i].kind, quantity_cases[i].text, &value) ==
		        quantity_cases[i].r);
		assert(value == (quantity_cases[i].r ? 77 : quantity_cases[i].value));
	}
}

static const struct {
	const char *text;
	const char *place; /* line that must be named; NULL: accepted */
	const char *cause;
	const char *remedy;
} config_cases[] = {
        {"", NULL, NULL, NULL},
        {"log_level: debug\nupdate:\n  timeout: \"9s\"\n", NULL, NULL, NULL},
        {"log_level: loud\n", ":1", "log_level: unknown choice", "error warn info debug"},
        {"log_level: warning\n", ":1", "log_level: unknown choice", "error warn info debug"},
        {"log_level: war\n", ":1", "log_level: unknown choice", "error warn info debug"},
        {"\ncolour: red\n", ":2", "unknown key colour", "lud(8)"},
        {"update:\n  timeout: 9\n", ":2", "timeout: the value is not quoted", "us, ms, s"},
        {"update:\n  timeout: \"9\"\n", ":2", "timeout: not a number", "us, ms, s"},
        {"forge:\n  workers: \"0\"\n", ":2", "workers: out of range", "from 1 to 64"},
        {"forge:\n  workers:\n    - 1\n", ":3", "workers: lists", "one plain value"},
        {"upgrade:\n  timeout: \"9s\"\n", ":2", "unknown section upgrade", "lud(8)"},
        {"update:\n  hold:\n    x: 1\n", ":3", "hold: a mapping", "one level"},
        {"state_dir: ''\n", ":1", "state_dir: empty", "give a path"},
        {"layouts:\n  m1: machine\n  m1/ds: host\n  /tty: auto\n", NULL, NULL, NULL},
        {"prebuilt:\n  m1: 16\n", NULL, NULL, NULL},
        {"prebuilt:\n  m1: 17\n", ":2", "m1: unknown choice", "15 16"},
        {"layouts:\n  m1: any\n", ":2", "m1: unknown choice", "auto machine host"},
        {"layouts:\n  m1/: host\n", ":2", "m1/: no name", "MACHINE/SERVICE"},
        {"layouts:\n  m1/ds/x: host\n", ":2", "m1/ds/x: no name", "/SERVICE"},
        {"layouts:\n  \"m 1\": host\n", ":2", "m 1: no name", "name a MACHINE"},
        {"layouts:\n  m1:\n    ds: host\n", ":3", "m1: a mapping", "one level"},
        {"access:\n  user/eve: viewer\n  group/42: release-manager\n", NULL, NULL, NULL},
        {"access:\n  user/eve: viewer@edge\n  user/bob: operator@edge,lab/2\n", NULL, NULL, NULL},
        {"access:\n  user/eve: root@edge\n", ":2", "user/eve: unknown choice", "viewer operator"},
        {"access:\n  user/eve: viewer@\n", ":2", "user/eve: no names of groups", "ROLE@GROUP"},
        {"access:\n  user/eve: viewer@a,\n", ":2", "user/eve: no names of groups", "ROLE@GROUP"},
        {"access:\n  user/eve: viewer@a,,b\n", ":2", "user/eve: no names of groups", "ROLE@GROUP"},
        {"access:\n  user/eve: viewer@a b\n", ":2", "user/eve: no names of groups", "ROLE@GROUP"},
        {"access:\n  user/eve: root\n", ":2", "user/eve: unknown choice",
                "choose one of: viewer operator release-manager admin"},
        {"access:\n  eve: viewer\n", ":2", "eve: no name of a user", "user/NAME"},
        {"access:\n  user/: viewer\n", ":2", "user/: no name", "group/NAME"},
        {"access:\n  user/eve/x: viewer\n", ":2", "user/eve/x: no name", "user/NAME"},
        {"access:\n  host/eve: viewer\n", ":2", "host/eve: no name", "user/NAME"},
        {"update:\n  layout: guest\n", ":2", "layout: unknown choice", "auto machine host"},
        {"just words\n", ":1", "not a mapping", "key: value"},
        {"state_dir: \"x\n", ":", "", "correct the YAML"},
};

/* What is in a file of this text is added to what the configuration says. */
static int read_text(
        struct config *config, const char *dir, const char *text, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = text_format("%s/lud.yaml", dir);

	assert(file_write(path, text, strlen(text)) == 0);
	return config_read(config, path, ret_failure);
}

static void test_file(const char *dir)
{
	for (size_t i = 0; i < sizeof(config_cases) / sizeof(config_cases[0]); i++) {
		struct failure failure = {0};
		struct config config;
		int r;

		config_init(&config, dir);
		r = read_text(&config, dir, config_cases[i].text, &failure);
		if (!config_cases[i].place) {
			assert(r == 0);
		} else {
			if (r >= 0 || !strstr(failure.remedy, config_cases[i].remedy)) {
				fprintf(stderr, "case %zu: %s: %s (%s)\n", i, failure.place,
				        failure.cause, failure.remedy);
			}
			assert(r < 0);
			assert(strstr(failure.place, "lud.yaml"));
			assert(strstr(failure.place, config_cases[i].place));
			assert(strstr(failure.cause, config_cases[i].cause));
			assert(strstr(failure.remedy, config_cases[i].remedy));
		}
		config_fini(&config);
	}
}

static void test_between_keys(const char *dir)
{
	struct failure failure = {0};
	struct config config;

	config_init(&config, dir);
	config_complete(&config);
	assert(config_check(&config, &failure) == 0);
	config.update_timeout_usec = 1000;
	assert(config_check(&config, &failure) == -EINVAL);
	assert(!strcmp(failure.place, "update.timeout"));
	config.update_timeout_usec = 5000000;
	free(config.control_socket);
	config.control_socket = text_format("%0200d", 1);
	assert(config_check(&config, &failure) == -ENAMETOOLONG);
	config_fini(&config);
}

static const struct {
	const char *text;
	int r;
	enum loopback_kind kind;
} loopback_cases[] = {
        {"none", 0, LOOPBACK_NONE},
        {"/run/samsara/metrics.sock", 0, LOOPBACK_UNIX},
        {"127.0.0.1:9464", 0, LOOPBACK_TCP},
        {"127.200.0.9:1", 0, LOOPBACK_TCP},
        {"[::1]:9464", 0, LOOPBACK_TCP},
        {"0.0.0.0:9464", -EACCES, _LOOPBACK_N},
        {"[::]:9464", -EACCES, _LOOPBACK_N},
        {"128.0.0.1:9464", -EACCES, _LOOPBACK_N},
        {"192.168.7.1:9464", -EACCES, _LOOPBACK_N},
        {"[fe80::1]:9464", -EACCES, _LOOPBACK_N},
        {"[::ffff:127.0.0.1]:9464", -EACCES, _LOOPBACK_N},
        {"127.0.0.1", -EINVAL, _LOOPBACK_N},
        {"127.0.0.1:0", -EINVAL, _LOOPBACK_N},
        {"127.0.0.1:65536", -EINVAL, _LOOPBACK_N},
        {"localhost:9464", -EINVAL, _LOOPBACK_N},
        {"metrics.sock", -EINVAL, _LOOPBACK_N},
};

/* What is refused is told by the key, and leaves everything as it was. */
static void test_loopback(const char *dir)
{
	for (size_t i = 0; i < sizeof(loopback_cases) / sizeof(loopback_cases[0]); i++) {
		enum loopback_kind kind = _LOOPBACK_N;
		struct sockaddr_storage address;
		struct failure failure = {0};
		struct config config;
		int len = -1;

		assert(loopback_parse(loopback_cases[i].text, &kind, &address, &len) ==
		        loopback_cases[i].r);
		assert(kind == loopback_cases[i].kind && (len > 0) == (kind == LOOPBACK_TCP));
		config_init(&config, dir);
		config_complete(&config);
		free(config.metrics_listen);
		config.metrics_listen = text_copy(loopback_cases[i].text);
		assert(config_check(&config, &failure) == loopback_cases[i].r);
		assert(!loopback_cases[i].r || !strcmp(failure.place, "metrics.listen"));
		config_fini(&config);
	}
}

static const struct {
	const char *machine, *service, *layout, *key;
} layout_cases[] = {
        {"m1", "ds", "host", "layouts.m1/ds"},
        {"m1", "tty", "machine", "layouts.m1"},
        {"m1", "agent", "auto", "layouts./agent"},
        {"m2", "agent", "auto", "layouts./agent"},
        {"m2", "ds", "machine", "update.layout"},
        {"m", "d", "machine", "update.layout"},
};

/* Who makes a layout is said by the most particular key, and by its last value. */
static void test_layouts(const char *dir)
{
	static const char text[] = "update:\n  layout: machine\nlayouts:\n  m1/ds: machine\n"
	                           "  m1: machine\n  /agent: auto\n  m1/ds: host\n";
	struct failure failure = {0};
	struct config config;
	char key[CONFIG_NAME_SIZE];

	config_init(&config, dir);
	assert(!strcmp(config_layout(&config, "m1", "ds", key), "auto"));
	assert(read_text(&config, dir, text, &failure) == 0);
	for (size_t i = 0; i < sizeof(layout_cases) / sizeof(layout_cases[0]); i++) {
		assert(!strcmp(config_layout(&config, layout_cases[i].machine,
		                       layout_cases[i].service, key),
		        layout_cases[i].layout));
		assert(!strcmp(key, layout_cases[i].key));
	}
	assert(!strcmp(config.layouts, "m1 machine\n/agent auto\nm1/ds host\n"));
	config_fini(&config);
}

static void test_prebuilt(const char *dir)
{
	static const char text[] = "prebuilt:\n  /ds: 4\n  m1: 2\n  m1/agent: 16\n";
	struct failure failure = {0};
	struct config config;

	config_init(&config, dir);
	assert(config_prebuilt(&config, "m1", "ds") == 0);
	assert(read_text(&config, dir, text, &failure) == 0);
	assert(config_prebuilt(&config, "m1", "ds") == 4);
	assert(config_prebuilt(&config, "m1", "agent") == 16);
	assert(config_prebuilt(&config, "m1", "tty") == 2);
	assert(config_prebuilt(&config, "m2", "tty") == 0);
	config_fini(&config);
}

/* A role is that of the whole key and of the last value it was given. */
static void test_roles(const char *dir)
{
	static const char text[] = "access:\n  user/eve: viewer\n  group/eve: admin\n"
	                           "  user/7: operator\n  user/eve: release-manager\n";
	struct failure failure = {0};
	struct config config;
	char role[CONFIG_ROLE_SIZE], name[CONFIG_NAME_SIZE];

	config_init(&config, dir);
	assert(!config_role(&config, "user", "eve", role));
	assert(read_text(&config, dir, text, &failure) == 0);
	assert(config_role(&config, "user", "eve", role) && !strcmp(role, "release-manager"));
	assert(config_role(&config, "group", "eve", role) && !strcmp(role, "admin"));
	assert(config_role(&config, "user", "7", role) && !strcmp(role, "operator"));
	assert(!config_role(&config, "group", "7", role));
	assert(!config_role(&config, "user", "ev", role));
	assert(!config_role(&config, "user", "", role));
	assert(config_role_name(&config, 0, name) && !strcmp(name, "group/eve"));
	assert(config_role_name(&config, 2, name) && !strcmp(name, "user/eve"));
	assert(!config_role_name(&config, 3, name));
	config_fini(&config);
}

/* What is printed can be read back to the same values. */
static void test_round_trip(const char *dir)
{
	_cleanup_(freep) char *path = text_format("%s/printed.yaml", dir);
	struct failure failure = {0};
	struct config first, second;
	FILE *file;

	config_init(&first, dir);
	first.hold_usec = 12345;
	free(first.layouts);
	first.layouts = text_copy("m1 host\n/ds machine\n");
	free(first.access);
	first.access = text_copy("user/eve release-manager\ngroup/7 viewer@edge,lab\n");
	config_complete(&first);
	file = fopen(path, "we");
	config_print(&first, file);
	fclose(file);
	config_init(&second, dir);
	assert(config_read(&second, path, &failure) == 0);
	assert(second.hold_usec == 12345);
	assert(!strcmp(second.control_socket, first.control_socket));
	assert(!strcmp(second.layouts, first.layouts));
	assert(!strcmp(second.access, first.access));
	config_fini(&first);
	config_fini(&second);
}

static void test_missing(const char *dir)
{
	struct failure failure = {0};
	struct config config;

	config_init(&config, dir);
	assert(config_read(&config, "/nonexistent/lud.yaml", &failure) == -ENOENT);
	assert(strstr(failure.remedy, "--config"));
	config_fini(&config);
}

static void changed(const char *key, bool taken, void *arg)
{
	char *text = arg;

	strcat(strcat(text, key), taken ? " taken," : " left,");
}

/* What can change while lud runs does; what cannot is named and stays. */
static void test_reload(void)
{
	struct config config, fresh;
	char said[200] = "";

	config_init(&config, "/nonexistent/bin");
	config_init(&fresh, "/nonexistent/bin");
	config_complete(&config);
	config_complete(&fresh);
	config_reload(&config, &fresh, changed, said);
	assert(!*said);
	free(fresh.keyring);
	fresh.keyring = text_copy("/elsewhere");
	free(fresh.log_level);
	fresh.log_level = text_copy("debug");
	fresh.hold_usec = 7000;
	fresh.forge_workers = 9;
	free(fresh.layouts);
	fresh.layouts = text_copy("m1 host\n");
	config_reload(&config, &fresh, changed, said);
	assert(!strcmp(said, "keyring left,log_level taken,forge.workers left,update.hold "
	                     "taken,layouts taken,"));
	assert(!strcmp(config.layouts, "m1 host\n"));
	assert(!strcmp(config.log_level, "debug") && config.hold_usec == 7000);
	assert(strcmp(config.keyring, "/elsewhere") && config.forge_workers == 2);
	config_fini(&config);
	config_fini(&fresh);
}

static void test_addresses(void)
{
	static const struct {
		const char *text;
		int port; /* -1: it is none */
		bool is_any;
	} cases[] = {
	        {"192.0.2.1:7700", 7700, false},
	        {"127.0.0.1:0", 0, false},
	        {"[2001:db8::1]:65535", 65535, false},
	        {"[::1]:1", 1, false},
	        {"0.0.0.0:1", 1, true},
	        {"[::]:1", 1, true},
	        {"[::ffff:0.0.0.0]:1", 1, true},
	        {"[::ffff:127.0.0.1]:1", 1, false},
	        {"", -1, false},
	        {":", -1, false},
	        {":1", -1, false},
	        {"[", -1, false},
	        {"[]:1", -1, false},
	        {"[:1", -1, false},
	        {"::1:1", -1, false},
	        {"[::1]", -1, false},
	        {"[::1]x:1", -1, false},
	        {"[127.0.0.1]:1", -1, false},
	        {"127.0.0.1", -1, false},
	        {"127.0.0.1:", -1, false},
	        {"127.0.0.1: 1", -1, false},
	        {"127.0.0.1:+1", -1, false},
	        {"127.0.0.1:1 ", -1, false},
	        {"127.0.0.1:65536", -1, false},
	        {"127.0.0.1:000001", -1, false},
	        {"127.1:1", -1, false},
	        {"localhost:1", -1, false},
	        {"[fe80::1%eth0]:1", -1, false},
	        {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:1", -1, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
		int r = config_address_parse(cases[i].text, &address);

		assert((r == 0) == (cases[i].port >= 0));
		err_forget();
		if (r < 0) {
			assert(address.ss_family == AF_UNSPEC);
			continue;
		}
		/* Both kinds have their port at the same place. */
		assert(ntohs(v4->sin_port) == cases[i].port);
		assert(config_address_is_any(&address) == cases[i].is_any);
	}
}

int main(void)
{
	test_addresses();
	char dir[] = "/tmp/config_test.XXXXXX";

	assert(mkdtemp(dir));
	test_quantities();
	test_file(dir);
	test_loopback(dir);
	test_between_keys(dir);
	test_layouts(dir);
	test_prebuilt(dir);
	test_roles(dir);
	test_round_trip(dir);
	test_missing(dir);
	test_reload();
	assert(dir_remove(dir) == 0);
	return 0;
}
