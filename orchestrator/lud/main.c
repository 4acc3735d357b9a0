/*
 * lud: makes, signs and stages randomized binaries and drives updates of machines. It
 * holds no state of its own: what it must not forget is in the record, what is true is
 * in the machines. Ending it, by whatever means, stops no machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/control/server.h"
#include "version.h"

#define LUD_DISK_REMEDY                                                                            \
	"make the state directory writable and make room there (bytes or inodes: df -h, df -i), "  \
	"then start lud again; "                                                                   \
	"machines run on meanwhile"

/* Documented in lud(8). */
enum lud_exit {
	LUD_EXIT_OK = 0,
	LUD_EXIT_USAGE = 2,
	LUD_EXIT_CONFIG = 3,
	LUD_EXIT_RECORD = 4,
	LUD_EXIT_BUSY = 5, /* another lud uses this state directory */
	LUD_EXIT_INTERNAL = 6,
};

struct lud_options {
	const char *config;
	const char *state_dir;
	const char *log_level;
	bool check;
	bool print;
	bool recover;
};

struct lud {
	struct config config;
	struct event_base *base;
	struct db *db;
	struct forge *forge;
	struct signer_client *signer;
	struct child_user signer_user;
	struct child_user forge_user;
	struct engine *engine;
	struct control *control;
	struct event *signals[3];
	const struct lud_options *options;
	int lock;
};

static void lud_usage(FILE *file)
{
	fputs("usage: lud [--config FILE] [--state-dir DIR] [--log-level LEVEL]\n"
	      "           [--check-config] [--print-config] [--recover] [--version] [--help]\n"
	      "The orchestrator of Samsara machines; see lud(8).\n",
	        file);
}

/* -1 to go on, else the exit code. */
static int lud_options_parse(int argc, char **argv, struct lud_options *ret)
{
	static const struct option options[] = {
	        {"config", required_argument, NULL, 'c'},
	        {"state-dir", required_argument, NULL, 's'},
	        {"log-level", required_argument, NULL, 'l'},
	        {"check-config", no_argument, NULL, 'k'},
	        {"print-config", no_argument, NULL, 'p'},
	        {"recover", no_argument, NULL, 'r'},
	        {"version", no_argument, NULL, 'v'},
	        {"help", no_argument, NULL, 'h'},
	        {0},
	};
	bool given[UCHAR_MAX + 1] = {false};
	int option, which = 0;

	while ((option = getopt_long(argc, argv, "", options, &which)) >= 0) {
		if (option != '?' && given[option]) {
			fprintf(stderr, "lud: --%s is there twice\n", options[which].name);
			return LUD_EXIT_USAGE;
		}
		given[option] = true;
		switch (option) {
		case 'c':
			ret->config = optarg;
			break;
		case 's':
			ret->state_dir = optarg;
			break;
		case 'l':
			ret->log_level = optarg;
			break;
		case 'k':
			ret->check = true;
			break;
		case 'p':
			ret->print = true;
			break;
		case 'r':
			ret->recover = true;
			break;
		case 'v':
			puts("lud " SAMSARA_VERSION " (" SAMSARA_BUILD ")");
			return LUD_EXIT_OK;
		case 'h':
			lud_usage(stdout);
			return LUD_EXIT_OK;
		default:
			lud_usage(stderr);
			return LUD_EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "lud: unexpected argument %s\n", argv[optind]);
		lud_usage(stderr);
		return LUD_EXIT_USAGE;
	}
	return -1;
}

static void lud_say(const struct failure *failure)
{
	log_error("%s: %s%s%s", failure->place, failure->cause, *failure->remedy ? "; " : "",
	        failure->remedy);
	if (*err_trace()) {
		log_debug("%s", err_trace());
	}
	err_forget();
}

/* Paths must stay true wherever the process and its children stand. */
static void lud_absolute(char **path)
{
	char *real = realpath(*path, NULL);

	if (real) {
		free(*path);
		*path = real;
	}
}

static void lud_absolute_all(struct config *config)
{
	lud_absolute(&config->state_dir);
	lud_absolute(&config->keyring);
	lud_absolute(&config->kernel);
}

static void lud_program_dir(char *ret_dir, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", ret_dir, size - 1);

	ret_dir[n > 0 ? n : 0] = '\0';
	/* Shortens in place. */
	(void)dirname(ret_dir);
}

static int lud_configure(
        struct config *config, const struct lud_options *options, struct failure *ret_failure)
{
	char program_dir[PATH_MAX];
	int r = 0;

	lud_program_dir(program_dir, sizeof(program_dir));
	config_init(config, program_dir);
	if (options->config) {
		r = config_read(config, options->config, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	if (options->state_dir) {
		free(config->state_dir);
		config->state_dir = text_copy(options->state_dir);
	}
	if (options->log_level) {
		free(config->log_level);
		config->log_level = text_copy(options->log_level);
	}
	config_complete(config);
	return err_up(config_check(config, ret_failure));
}

static int lud_set_log_level(const struct config *config, struct failure *ret_failure)
{
	enum log_level level;
	int r = log_level_parse(config->log_level, &level);

	if (r < 0) {
		failure_set(ret_failure, "config", "--log-level",
		        "choose one of error, warn, info, debug", "unknown level %s",
		        config->log_level);
		return err_up(r);
	}
	log_init(level);
	return 0;
}

/* The state directory, made and locked: one lud at a time. */
static int lud_claim(struct lud *lud, struct failure *ret_failure)
{
	struct config *config = &lud->config;
	_cleanup_(freep) char *path = NULL;
	int r = dir_make(config->state_dir);

	if (r < 0) {
		failure_set(ret_failure, "state_dir", config->state_dir,
		        "choose another with --state-dir", "it cannot be made: %s", strerror(-r));
		return err_up(r);
	}
	lud_absolute_all(config);
	path = text_format("%s/lock", config->state_dir);
	lud->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lud->lock < 0 || flock(lud->lock, LOCK_EX | LOCK_NB) < 0) {
		r = err_raise(-errno);
		failure_set(ret_failure, "state_dir", path,
		        r == -EWOULDBLOCK ? "stop the other lud or choose another --state-dir"
		                          : LUD_DISK_REMEDY,
		        r == -EWOULDBLOCK ? "another lud uses this state directory"
		                          : "it cannot be opened for writing: %s",
		        strerror(-r));
		return r;
	}
	return 0;
}

static void lud_on_signal(evutil_socket_t signal, short what, void *arg)
{
	struct lud *lud = arg;

	log_info("ending by signal %d (%s); machines go on", (int)signal, strsignal(signal));
	event_base_loopbreak(lud->base);
}

static void lud_reloaded(const char *key, bool taken, void *arg)
{
	if (taken) {
		log_info("configuration: %s is changed", key);
	} else {
		log_warn("configuration: %s cannot change while lud runs; start lud anew", key);
	}
}

/* Reads the configuration again. One that is wrong changes nothing. */
static void lud_on_hangup(evutil_socket_t signal, short what, void *arg)
{
	struct lud *lud = arg;
	struct failure failure = {0};
	struct config fresh = {0};

	if (lud_configure(&fresh, lud->options, &failure) < 0) {
		log_error("the configuration stays as it was: %s: %s; %s", failure.place,
		        failure.cause, failure.remedy);
		err_forget();
	} else {
		lud_absolute_all(&fresh);
		log_info("the configuration is read again");
		config_reload(&lud->config, &fresh, lud_reloaded, NULL);
		(void)lud_set_log_level(&lud->config, &failure);
		control_reloaded(lud->control);
	}
	config_fini(&fresh);
}

/*
 * Workers get a place of their own for what they leave behind when lud
 * dies; a new start clears it.
 */
static int lud_clear_workshop(const struct config *config, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = text_format("%s/tmp", config->state_dir);
	int r = dir_remove(path);

	if (r == 0) {
		r = dir_make(path);
	}
	if (r == 0 && setenv("TMPDIR", path, 1) < 0) {
		r = err_raise(-errno);
	}
	if (r < 0) {
		failure_set(ret_failure, "state_dir", path, LUD_DISK_REMEDY,
		        "the workers' directory cannot be made anew: %s", strerror(-r));
	}
	return err_up(r);
}

/* The numbers are documented: lud(8). */
static const struct child_role lud_signer = {"the signer", "signer.user", "samsara-signer", 60801};
static const struct child_role lud_forge = {
        "each forge worker", "forge.user", "samsara-forge", 60802};

/* Who the children will be: what that comes to is in the log. */
static int lud_find_users(struct lud *lud, struct failure *ret_failure)
{
	int r = child_user_find(
	        &lud_signer, lud->config.signer_user, &lud->signer_user, ret_failure);

	if (!r) {
		r = child_user_find(
		        &lud_forge, lud->config.forge_user, &lud->forge_user, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	if (lud->signer_user.separate && lud->forge_user.separate &&
	        lud->signer_user.uid == lud->forge_user.uid) {
		failure_set(ret_failure, "config", "forge.user", "name another user",
		        "signer.user is the same");
		return err_raise(-EINVAL);
	}
	return 0;
}

static int lud_open_workers(struct lud *lud, struct failure *ret_failure)
{
	const struct config *config = &lud->config;
	struct forge_config forge = {config->luforge, config->forge_workers, config->keyring,
	        config->state_dir, lud->forge_user};
	int r = forge_new(&forge, lud->base, &lud->forge);

	if (r < 0) {
		failure_set(ret_failure, "state_dir", config->state_dir, LUD_DISK_REMEDY,
		        "the store of kits, releases, cannot be made: %s", strerror(-r));
		return err_up(r);
	}
	return err_up(signer_client_new(
	        lud->base, config->lusign, config->keyring, &lud->signer_user, &lud->signer));
}

static int lud_open(struct lud *lud, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = text_format("%s/lud.db", lud->config.state_dir);
	struct engine_parts parts;
	int r;

	lud->base = event_base_new();
	if (!lud->base) {
		return err_raise(-ENOMEM);
	}
	r = lud_clear_workshop(&lud->config, ret_failure);
	if (!r) {
		r = store_open(path, &lud->db, ret_failure);
	}
	if (!r) {
		r = lud_open_workers(lud, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	parts = (struct engine_parts){lud->base, lud->db, &lud->config, lud->forge, lud->signer};
	r = engine_new(&parts, &lud->engine);
	if (!r) {
		r = engine_load(lud->engine);
	}
	if (!r) {
		r = control_new(lud->base, lud->engine, &lud->control, ret_failure);
	}
	return err_up(r);
}

static void lud_close(struct lud *lud)
{
	control_free(lud->control);
	engine_free(lud->engine);
	signer_client_free(lud->signer);
	forge_free(lud->forge);
	db_close(lud->db);
	for (size_t i = 0; i < 3; i++) {
		if (lud->signals[i]) {
			event_free(lud->signals[i]);
		}
	}
	if (lud->base) {
		event_base_free(lud->base);
	}
	fd_closep(&lud->lock);
	config_fini(&lud->config);
	libevent_global_shutdown();
}

static void lud_loop(struct lud *lud)
{
	static const int signals[3] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < 3; i++) {
		lud->signals[i] = evsignal_new(lud->base, signals[i],
		        signals[i] == SIGHUP ? lud_on_hangup : lud_on_signal, lud);
		if (!lud->signals[i] || evsignal_add(lud->signals[i], NULL) < 0) {
			abort();
		}
	}
	log_info("lud " SAMSARA_VERSION " is ready at %s", lud->config.control_socket);
	(void)sd_notify(0, "READY=1");
	event_base_dispatch(lud->base);
	(void)sd_notify(0, "STOPPING=1");
}

static void lud_saved(const char *table, int64_t n_rows, bool whole, void *arg)
{
	printf("%-12s %6lld rows saved%s\n", table, (long long)n_rows,
	        whole ? "" : "; others could not be read");
}

/* Makes a new record of what can be read of a damaged one. */
static int lud_recover(struct lud *lud)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *kept = NULL;
	const char *dir;
	struct failure failure = {0};
	int r;

	umask(0077);
	r = lud_claim(lud, &failure);
	if (r < 0) {
		lud_say(&failure);
		return r == -EWOULDBLOCK ? LUD_EXIT_BUSY : LUD_EXIT_CONFIG;
	}
	path = text_format("%s/lud.db", lud->config.state_dir);
	if (store_recover(path, lud_saved, NULL, &kept, &failure) < 0) {
		lud_say(&failure);
		return LUD_EXIT_RECORD;
	}
	if (!kept) {
		printf("%s is not damaged; nothing was done\n", path);
		return LUD_EXIT_OK;
	}
	dir = lud->config.state_dir;
	printf("The damaged file is kept as %s.\n"
	       "Start lud, and see `luctl machine list` and `luctl release list`. What is missing "
	       "there\ncomes back with `luctl machine start NAME --attach "
	       "%s/machines/NAME/port.sock`\nand `luctl release add %s/releases/*.kit`.\n",
	        kept, dir, dir);
	return LUD_EXIT_OK;
}

static int lud_run(struct lud *lud)
{
	struct failure failure = {0};
	int r;

	signal(SIGPIPE, SIG_IGN);
	/* A limit on file sizes is an error of write(), not the end of lud. */
	signal(SIGXFSZ, SIG_IGN);
	umask(0077);
	r = lud_claim(lud, &failure);
	if (r < 0) {
		lud_say(&failure);
		return r == -EWOULDBLOCK ? LUD_EXIT_BUSY : LUD_EXIT_CONFIG;
	}
	if (lud_find_users(lud, &failure) < 0) {
		lud_say(&failure);
		return LUD_EXIT_CONFIG;
	}
	failure_set(&failure, "lud", "start", "see the log", "it cannot start");
	r = lud_open(lud, &failure);
	if (r) {
		lud_say(&failure);
		return r == -EADDRINUSE ? LUD_EXIT_BUSY : LUD_EXIT_RECORD;
	}
	lud_loop(lud);
	return LUD_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct lud_options options = {0};
	struct failure failure = {0};
	struct lud lud = {.lock = -1};
	int code = lud_options_parse(argc, argv, &options);

	if (code >= 0) {
		return code;
	}
	log_init(LOG_LEVEL_INFO);
	lud.options = &options;
	if (lud_configure(&lud.config, &options, &failure) < 0 ||
	        lud_set_log_level(&lud.config, &failure) < 0) {
		lud_say(&failure);
		code = LUD_EXIT_CONFIG;
	} else if (options.print || options.check) {
		if (options.print) {
			config_print(&lud.config, stdout);
		}
		code = LUD_EXIT_OK;
	} else {
		code = options.recover ? lud_recover(&lud) : lud_run(&lud);
	}
	lud_close(&lud);
	return code;
}
