/*
 * The record as a file: it is checked, and copied for whoever asks. Both read all of it, so a process of
 * its own does it (`lud --check-record`, `lud --backup`) while the event loop goes on.
 *
 * A backup is handed over in pieces, and whoever asked for it writes it where it may: a path that a client
 * names would be written with lud's rights, and policies are text that a client has chosen. lud's own copy has
 * no name once it is made, and is gone with the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "host/child/child.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"

#define RECORD_TIMEOUT_USEC UINT64_C(1800000000)
#define RECORD_PIECE 49152u /* bytes of a backup in one answer */
#define RECORD_FINDINGS_MAX 100u

/* What the process wrote last: why it could not do its part. */
static void record_refuse(
        struct control_wait *wait, const char *what, const struct child_result *result)
{
	struct failure failure;
	char status[64];

	child_status_text(result->status, status, sizeof(status));
	failure_set(&failure, "record", db_path(control_db(wait->client)),
	        "see that lud's disk has room for a second record, and try again",
	        "the record cannot be %s: %.240s", what,
	        result->timed_out ? "it took too long"
	        : *result->errors ? result->errors
	                          : status);
	control_refuse(wait->client, wait->id, WIRE__ERROR_CLASS__ERROR_FAILED, &failure);
	control_wait_free(wait);
}

/*
 * Runs this program again, beside itself: what it reads and writes is what is open here, in transactions of
 * its own, so that it neither waits for jobs nor do they wait for it.
 */
static void record_run(
        struct control_wait *wait, const char *way, const char *argument, child_done_fn done)
{
	const char *const argv[] = {"/proc/self/exe", "--state-dir",
	        engine_config(control_engine(wait->client))->state_dir, way, argument, NULL};
	struct child_job job = {
	        .argv = argv, .timeout_usec = RECORD_TIMEOUT_USEC, .done = done, .arg = wait};
	int r = child_worker_new(wait->client->control->base, &job, &wait->child);

	if (r < 0) {
		struct child_result none = {.errors = strerror(-r)};

		err_forget();
		record_refuse(wait, "read", &none);
	}
}

/* Each line is a finding; without any it is whole. */
static void record_on_checked(const struct child_result *result, void *arg)
{
	_cleanup_(pool_fini) struct pool pool;
	struct control_wait *wait = arg;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__DbCheck check = CONTROL__DB_CHECK__INIT;
	char *text, *line;

	if (result->timed_out || !WIFEXITED(result->status) ||
	        (WEXITSTATUS(result->status) && !result->output_size)) {
		record_refuse(wait, "checked", result);
		return;
	}
	pool_init(&pool);
	text = pool_zero(&pool, result->output_size + 1);
	memcpy(text, result->output, result->output_size);
	check.place = (char *)db_path(control_db(wait->client));
	check.findings = pool_zero(&pool, RECORD_FINDINGS_MAX * sizeof(*check.findings));
	while (check.n_findings < RECORD_FINDINGS_MAX && (line = strsep(&text, "\n"))) {
		if (*line) {
			check.findings[check.n_findings++] = line;
		}
	}
	reply.body_case = CONTROL__REPLY__BODY_DB_CHECK;
	reply.db_check = &check;
	control_reply(wait->client, wait->id, &reply);
	control_wait_free(wait);
}

/* Reads what anybody may have written to the file, in a process that holds nothing of ours. */
void control_on_db_check(struct control_client *client, const Control__Request *request)
{
	struct control_wait *wait = control_wait_new(client, request->id);

	if (wait) {
		record_run(wait, "--check-record", NULL, record_on_checked);
	}
}

/* The copy loses its name: only this connection has it, and it cannot be left behind. */
static int record_take(struct control_wait *wait, uint64_t *ret_size)
{
	_cleanup_(freep) char *path = text_format("%s/record", wait->path);
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)unlink(path);
	if (fd < 0 || fstat(fd, &status) < 0) {
		fd_closep(&fd);
		return err_raise(-errno);
	}
	fd_closep(&wait->client->backup);
	wait->client->backup = fd;
	*ret_size = (uint64_t)status.st_size;
	return 0;
}

/* The process has said the digest of what it made; the size is that of the file that we hold. */
static void record_on_copied(const struct child_result *result, void *arg)
{
	struct control_wait *wait = arg;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__DbBackup backup = CONTROL__DB_BACKUP__INIT;
	char digest[129] = "";

	if (result->timed_out || !WIFEXITED(result->status) || WEXITSTATUS(result->status) ||
	        result->output_size < sizeof(digest) - 1 || record_take(wait, &backup.size) < 0) {
		err_forget();
		record_refuse(wait, "copied", result);
		return;
	}
	memcpy(digest, result->output, sizeof(digest) - 1);
	backup.digest = digest;
	log_info("a backup of the record, %" PRIu64 " bytes, is handed to %s", backup.size,
	        wait->client->who.name);
	reply.body_case = CONTROL__REPLY__BODY_DB_BACKUP;
	reply.db_backup = &backup;
	control_reply(wait->client, wait->id, &reply);
	control_wait_free(wait);
}

/* What an earlier lud left there is gone since this one started. */
void control_on_db_backup(struct control_client *client, const Control__Request *request)
{
	_cleanup_(freep) char *record = NULL;
	struct control_wait *wait = control_wait_new(client, request->id);

	if (!wait) {
		return;
	}
	log_info("%s asks for a backup of the record%s%s", client->who.name,
	        *request->reason ? ": " : "", request->reason);
	snprintf(wait->path, sizeof(wait->path), "%.200s/tmp/backup.%" PRIu64,
	        engine_config(control_engine(client))->state_dir, client->control->n_backups++);
	record = text_format("%s/record", wait->path);
	/* What cannot be made here is said by the copy that cannot be made in it. */
	(void)!dir_make(wait->path);
	err_forget();
	record_run(wait, "--backup", record, record_on_copied);
}

/* Any part of it, in any order, as often as it is asked for; behind its end there is nothing. */
void control_on_db_read(struct control_client *client, const Control__Request *request)
{
	static const struct failure none = {"no-backup", "db",
	        "no backup was made on this connection, or it cannot be read", "ask for one first"};
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__DbPiece piece = CONTROL__DB_PIECE__INIT;
	uint8_t bytes[RECORD_PIECE];
	ssize_t n = request->db_read->offset > INT64_MAX
	                    ? -1
	                    : pread(client->backup, bytes, sizeof(bytes),
	                              (off_t)request->db_read->offset);

	if (n < 0) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &none);
		return;
	}
	piece.data = (ProtobufCBinaryData){(size_t)n, bytes};
	reply.body_case = CONTROL__REPLY__BODY_DB_PIECE;
	reply.db_piece = &piece;
	control_reply(client, request->id, &reply);
}
