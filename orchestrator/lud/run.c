/*
 * lud while it serves. SIGTERM and SIGINT end the event loop between two events; whatever jobs
 * are open then go on in the machines and are settled at the next start, exactly as after kill
 * -9. SIGHUP reads the configuration again.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/lud/priv.h"
#include "version.h"

/* Lets the event at hand finish. Nothing is written or told: that is what the record is for. */
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
		log_warn("configuration: %s cannot change while lud runs; restart lud", key);
	}
}

/* Reads the configuration again. One that is wrong changes nothing. */
static void lud_on_hangup(evutil_socket_t signal, short what, void *arg)
{
	struct lud *lud = arg;
	struct failure failure = {0};
	struct config fresh = {0};

	if (lud_configure(&fresh, lud->options, &failure) < 0) {
		log_line(LOG_LEVEL_ERROR, &(struct log_about){.message = LOG_CONFIGURATION_REFUSED},
		        "the configuration stays as it was: %s: %s; %s", failure.place,
		        failure.cause, failure.remedy);
		err_forget();
	} else {
		lud_absolute_all(&fresh);
		log_info("the configuration is read again");
		config_reload(&lud->config, &fresh, lud_reloaded, NULL);
		/* The level was checked with the rest; --log-level was good at the start. */
		if (lud_set_log_level(&lud->config, &failure) < 0) {
			err_forget();
		}
		server_reloaded(lud->server);
		metrics_reloaded(lud->metrics);
		remote_reloaded(lud->remote);
	}
	config_fini(&fresh);
}

/* A service manager starts lud anew when it is not told in time that the loop turns. */
static void lud_on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

/* Twice as often as the manager asks for (sd_watchdog_enabled(3)). */
static void lud_watchdog(struct lud *lud)
{
	struct timeval pause;
	uint64_t usec;

	if (sd_watchdog_enabled(true, &usec) <= 0) {
		return;
	}
	pause = (struct timeval){(time_t)(usec / 2000000), (suseconds_t)(usec / 2 % 1000000)};
	lud->watchdog = event_new(lud->base, -1, EV_PERSIST, lud_on_watchdog, lud);
	if (!lud->watchdog || event_add(lud->watchdog, &pause) < 0) {
		abort();
	}
}

static void lud_check(void *arg)
{
	const struct lud *lud = arg;

	engine_check(lud->engine);
}

/*
 * Serves until a signal. systemd hears of it when the control socket is there, so that what is
 * ordered after lud can use it.
 */
static void lud_loop(struct lud *lud)
{
	static const int signals[LUD_SIGNALS_N] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < LUD_SIGNALS_N; i++) {
		lud->signals[i] = evsignal_new(lud->base, signals[i],
		        signals[i] == SIGHUP ? lud_on_hangup : lud_on_signal, lud);
		if (!lud->signals[i] || evsignal_add(lud->signals[i], NULL) < 0) {
			abort();
		}
	}
	log_line(LOG_LEVEL_INFO, &(struct log_about){.message = LOG_LUD_READY},
	        "lud " SAMSARA_VERSION " is ready at %s", lud->config.control_socket);
	(void)sd_notify(0, "READY=1");
	lud_watchdog(lud);
	hook_loop(lud->base, lud_check, lud);
	(void)sd_notify(0, "STOPPING=1");
}

/*
 * Files and directories that lud makes from here on are its own user's alone (umask). SIGPIPE
 * would end it when a client leaves in the middle of an answer.
 */
int lud_run(struct lud *lud)
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
