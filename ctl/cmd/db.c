/*
 * db check, backup, restore: the record as a file. A lud that serves is asked; where none does, the program
 * itself is run (lud(8)), with what the user may read and write. A file that is named is always looked at
 * here.
 *
 * A backup comes in pieces and is written by us: to a file beside the one that is named, which gets the name
 * when all of it is on the disk and has the digest that lud told. A name that is taken is never taken over.
 */
#include "ctl/cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl/base/answer.h"
#include "ctl/base/json.h"
#include "ctl/client/command.h"
#include "ctl/client/place.h"
#include "ctl/make/run.h"
#include "host/text/hex.h"
#include "proto/envelope/envelope_crypto.h"

/* Exit codes of lud(8) that mean something here. */
#define DB_LUD_RECORD 4
#define DB_LUD_BUSY 5

/* Where lud would listen; the caller frees. */
static char *db_socket(const struct options *options)
{
	return options->socket ? ctl_format("%s", options->socket) : place_socket();
}

/* `lud WORD` with the state directory that the socket lies in, or the configuration that is named. */
static int db_run(
        const struct options *options, const char *word, const char *argument, struct run *ret_run)
{
	_cleanup_(ctl_freep) char *build = place_build();
	_cleanup_(ctl_freep) char *beside = ctl_format("%s/orchestrator/lud", build ? build : "");
	_cleanup_(ctl_freep) char *socket = db_socket(options);
	const char *const argv[] = {access(beside, X_OK) == 0 ? beside : "lud",
	        options->config ? "--config" : "--state-dir",
	        options->config ? options->config : dirname(socket), word, argument, NULL};

	return run_program(argv, NULL, false, ret_run);
}

/* Lines of lud's log: what they say is a cause, and behind the last `; ` what to do. All but the last are told as they are. */
static int db_failed(char *lines)
{
	static const char mark[] = " lud error: ";
	char *line, *next, *at, *remedy;

	for (line = strsep(&lines, "\n"); (next = strsep(&lines, "\n")) && *next; line = next) {
		fprintf(stderr, "%s\n", line);
	}
	at = strstr(line, mark);
	if (!at) {
		return ctl_fail(CTL_FAILED, "db", "see what stands above", "%s",
		        *line ? line : "lud ended without a word");
	}
	at += strlen(mark);
	remedy = strrchr(at, ';');
	if (remedy) {
		*remedy = '\0';
		remedy += 1 + strspn(remedy + 1, " ");
	}
	return ctl_fail(CTL_FAILED, "", remedy, "%s", at);
}

/* What lud said and did not mean for stdout; the exit code that goes with its own. */
static int db_ended(const struct run *run)
{
	switch (run->status) {
	case 0:
		fputs(run->errors, stderr);
		return CTL_OK;
	case DB_LUD_BUSY:
		return ctl_fail(CTL_HELD, "db", "stop lud; machines run on meanwhile",
		        "a lud serves from this record");
	default:
		return db_failed(run->errors);
	}
}

/* The file goes before each line, so that a line that is found in a log says what it is about. */
static int db_check_print(const struct options *options, const Control__DbCheck *check)
{
	for (size_t i = 0; !options->json && i < check->n_findings; i++) {
		printf("%s: %s\n", check->place, check->findings[i]);
	}
	if (!options->json && !check->n_findings) {
		printf("%s: nothing is wrong\n", check->place);
	}
	return check->n_findings ? CTL_FAILED : CTL_OK;
}

/* Each line of lud's is a finding. */
static int db_check_file(const struct options *options, const char *file)
{
	_cleanup_(ctl_freep) char *word = ctl_format("--check-record=%s", file);
	_cleanup_(run_finip) struct run run = {0};
	char *findings[128], *text, *line;
	Control__DbCheck check = CONTROL__DB_CHECK__INIT;
	int code = db_run(options, *file ? word : "--check-record", NULL, &run);

	if (code != CTL_OK) {
		return code;
	}
	if (run.status && !run.len) {
		(void)db_ended(&run);
		return CTL_FAILED;
	}
	check.place = (char *)(*file ? file : "the record");
	check.findings = findings;
	text = run.out;
	while (check.n_findings < 128 && (line = strsep(&text, "\n"))) {
		if (*line) {
			findings[check.n_findings++] = line;
		}
	}
	if (options->json) {
		answer_add(json_of_message(&check.base));
	}
	return db_check_print(options, &check);
}

/*
 * Of the record, by lud where it serves: it has it open, and whoever may ask it need not be able to read
 * the file. Of a file by us. CTL_FAILED when there are findings, so that a script can branch on it.
 */
int cmd_db_check(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__DbCheckRequest check = CONTROL__DB_CHECK_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	if (options->n_args || !client_can_connect(options->socket)) {
		return db_check_file(options, options->n_args ? options->args[0] : "");
	}
	request.body_case = CONTROL__REQUEST__BODY_DB_CHECK;
	request.db_check = &check;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	return code == CTL_OK ? db_check_print(options, reply->db_check) : code;
}

/* All pieces into the file. */
static int db_fetch(struct client *client, uint64_t size, int fd)
{
	for (uint64_t offset = 0; offset < size;) {
		Control__DbReadRequest read = CONTROL__DB_READ_REQUEST__INIT;
		Control__Request request = CONTROL__REQUEST__INIT;
		const Control__Reply *reply;
		int code;

		read.offset = offset;
		request.body_case = CONTROL__REQUEST__BODY_DB_READ;
		request.db_read = &read;
		code = client_call(client, &request, NULL, NULL, &reply);
		if (code != CTL_OK) {
			return code;
		}
		if (!reply->db_piece->data.len ||
		        pwrite(fd, reply->db_piece->data.data, reply->db_piece->data.len,
		                (off_t)offset) != (ssize_t)reply->db_piece->data.len) {
			return ctl_fail(CTL_OUTPUT, "db backup", "make room, and ask again",
			        "the backup cannot be written: %s", strerror(errno));
		}
		offset += reply->db_piece->data.len;
	}
	return CTL_OK;
}

/* It is what lud has copied, and on the disk. */
static int db_verify(int fd, uint64_t size, const char *digest)
{
	uint8_t told[64], found[64] = {0};
	void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (bytes != MAP_FAILED) {
		envelope_hash(bytes, size, found);
		(void)munmap(bytes, size);
	}
	if (!hex_read(digest, told, sizeof(told)) || memcmp(told, found, sizeof(told)) != 0) {
		return ctl_fail(CTL_FAILED, "db backup", "ask again",
		        "what came is not what lud has copied");
	}
	if (fsync(fd) < 0) {
		return ctl_fail(CTL_OUTPUT, "db backup", "make room, and ask again",
		        "the backup cannot be written: %s", strerror(errno));
	}
	return CTL_OK;
}

/* The name is given only if nothing has it. */
static int db_place(const char *made, const char *file)
{
	_cleanup_(ctl_freep) char *copy = ctl_format("%s", file);
	int dir;

	if (link(made, file) < 0) {
		return ctl_fail(CTL_FAILED, file, "name a file that is not there yet",
		        "the backup cannot be put there: %s", strerror(errno));
	}
	dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		(void)fsync(dir);
		close(dir);
	}
	return CTL_OK;
}

/* From lud, which has made it, to its place. */
static int db_receive(struct client *client, const char *file, uint64_t size, const char *digest)
{
	_cleanup_(ctl_freep) char *made = ctl_format("%s.XXXXXX", file);
	int fd = mkostemp(made, O_CLOEXEC); /* 0600 */
	int code;

	if (fd < 0) {
		return ctl_fail(CTL_FAILED, file,
		        "name a file in a directory that you may write to",
		        "the backup cannot be made there: %s", strerror(errno));
	}
	code = db_fetch(client, size, fd);
	if (code == CTL_OK) {
		code = db_verify(fd, size, digest);
	}
	if (code == CTL_OK) {
		code = db_place(made, file);
	}
	(void)unlink(made);
	close(fd);
	return code;
}

/* The digest is what tells one backup from another later. */
static void db_backup_print(const struct options *options, const char *digest)
{
	if (options->json) {
		answer_add(json_pack("{s:s, s:s}", "file", options->args[0], "digest", digest));
	} else {
		printf("%s\nBLAKE2b-512 %s\n", options->args[0], digest);
	}
}

/* Nobody serves: the program copies the file, with our rights. */
static int db_backup_file(const struct options *options)
{
	_cleanup_(run_finip) struct run run = {0};
	int code = db_run(options, "--backup", options->args[0], &run);

	if (code == CTL_OK) {
		code = db_ended(&run);
	}
	if (code == CTL_OK) {
		run.out[strcspn(run.out, "\n")] = '\0';
		db_backup_print(options, run.out);
	}
	return code;
}

/*
 * That the file is not there is asked first, so that nobody waits for a copy that has no place; it is not
 * relied on, since the link that gives the name refuses one that is taken.
 */
int cmd_db_backup(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(ctl_freep) char *digest = NULL;
	Control__DbBackupRequest backup = CONTROL__DB_BACKUP_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	struct options plain = *options;
	const Control__Reply *reply;
	int code;

	if (access(options->args[0], F_OK) == 0) {
		return ctl_fail(CTL_FAILED, options->args[0], "name a file that is not there yet",
		        "the file is there, and a backup replaces none");
	}
	if (!client_can_connect(options->socket)) {
		return db_backup_file(options);
	}
	plain.json = false;
	request.body_case = CONTROL__REQUEST__BODY_DB_BACKUP;
	request.db_backup = &backup;
	code = command_call(&plain, &request, NULL, NULL, &client, &reply);
	if (code != CTL_OK) {
		return code;
	}
	digest = ctl_format("%s", reply->db_backup->digest);
	code = db_receive(client, options->args[0], reply->db_backup->size, digest);
	if (code == CTL_OK) {
		db_backup_print(options, digest);
	}
	return code;
}

/* The program itself sees to it that no lud serves: it takes the lock of the state directory. */
int cmd_db_restore(const struct options *options)
{
	_cleanup_(run_finip) struct run run = {0};
	int code = db_run(options, "--restore", options->args[0], &run);

	if (code == CTL_OK) {
		code = db_ended(&run);
	}
	if (code == CTL_OK && options->json) {
		answer_add(json_pack("{s:s}", "restored", options->args[0]));
	} else if (code == CTL_OK) {
		fputs(run.out, stdout);
	}
	return code;
}
