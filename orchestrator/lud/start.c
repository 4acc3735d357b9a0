/*
 * The stages between a checked configuration and a lud that serves. The lock comes first: until
 * the state directory is ours, nothing in it is touched, and another lud may be at work there.
 * The control socket comes last: who can connect finds the machines of the record loaded.
 *
 * Every stage can fail, with the file or user and the remedy in the failure; lud_close() takes
 * whatever stands by then.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/db/durable.h"
#include "orchestrator/lud/priv.h"

/* The trace is for whoever knows the source; the sentence has to do for everybody else. */
void lud_say(const struct failure *failure)
{
	log_line(LOG_LEVEL_ERROR, &(struct log_about){.message = LOG_START_REFUSED}, "%s: %s%s%s",
	        failure->place, failure->cause, *failure->remedy ? "; " : "", failure->remedy);
	if (*err_trace()) {
		log_debug("%s", err_trace());
	}
	err_forget();
}

/*
 * The state directory, made and locked: one lud at a time. The lock is the process's own
 * (fcntl(2), F_SETLK) and not the open file's (flock(2)): children inherit that one, and a
 * child that has only just been forked when lud is killed would keep the next lud out.
 */
int lud_claim(struct lud *lud, struct failure *ret_failure)
{
	struct config *config = &lud->config;
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
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
	if (lud->lock < 0 || fcntl(lud->lock, F_SETLK, &whole) < 0) {
		bool taken = errno == EAGAIN || errno == EACCES;

		r = err_raise(-errno);
		failure_set(ret_failure, "state_dir", path,
		        taken ? "stop the other lud or choose another --state-dir"
		              : LUD_DISK_REMEDY,
		        taken ? "another lud uses this state directory"
		              : "it cannot be opened for writing: %s",
		        strerror(-r));
		return r;
	}
	return 0;
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
		        "the workers' directory cannot be recreated: %s", strerror(-r));
	}
	return err_up(r);
}

/* The numbers are documented: lud(8). */
static const struct child_role lud_signer = {"the signer", "signer.user", "samsara-signer", 60801};
static const struct child_role lud_forge = {
        "each forge worker", "forge.user", "samsara-forge", 60802};

/* Who the children will be: what that comes to is in the log. */
int lud_find_users(struct lud *lud, struct failure *ret_failure)
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

/*
 * Makes the clients of luforge and lusign. Neither runs yet: each starts when it is first needed.
 */
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
	if (strcmp(config->signer_second, "none") != 0) {
		lud->second = signer_client_second(lud->base, config->signer_second);
	}
	return err_up(signer_client_new(
	        lud->base, config->lusign, config->keyring, &lud->signer_user, &lud->signer));
}

/*
 * Order matters: the workers' directory is emptied before any can run, the record is whole before
 * machines are taken up from it, and nobody can connect before the jobs of the last run are
 * known.
 */
int lud_open(struct lud *lud, struct failure *ret_failure)
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
		r = db_follow(lud->db, lud->base, ret_failure);
	}
	if (!r) {
		r = lud_open_workers(lud, ret_failure);
	}
	if (r < 0) {
		return err_up(r);
	}
	parts = (struct engine_parts){
	        lud->base, lud->db, &lud->config, lud->forge, lud->signer, lud->second};
	r = engine_new(&parts, &lud->engine);
	if (!r) {
		r = engine_load(lud->engine);
	}
	if (!r) {
		lud->control = control_new(lud->base, lud->engine);
		lud->buffers = link_buffers_new(lud->db);
		r = server_new(lud->base, &lud->config, lud->control, lud->buffers, &lud->server,
		        ret_failure);
	}
	if (!r) {
		lud->remote = remote_new(lud->base, &lud->config, lud->control, lud->buffers);
	}
	if (!r) {
		struct metrics_parts metrics = {lud->base, &lud->config, lud->engine, lud->control,
		        lud->server, lud->remote};

		r = metrics_new(&metrics, &lud->metrics, ret_failure);
	}
	return err_up(r);
}

/* In reverse: a part may use what was made before it until its own end. */
void lud_close(struct lud *lud)
{
	metrics_free(lud->metrics);
	remote_free(lud->remote);
	server_free(lud->server);
	if (lud->buffers) {
		link_buffers_free(lud->buffers);
	}
	control_free(lud->control);
	engine_free(lud->engine);
	signer_client_free(lud->second);
	signer_client_free(lud->signer);
	forge_free(lud->forge);
	db_close(lud->db);
	for (size_t i = 0; i < LUD_SIGNALS_N; i++) {
		if (lud->signals[i]) {
			event_free(lud->signals[i]);
		}
	}
	if (lud->watchdog) {
		event_free(lud->watchdog);
	}
	if (lud->base) {
		event_base_free(lud->base);
	}
	fd_closep(&lud->lock);
	config_fini(&lud->config);
	libevent_global_shutdown();
}
