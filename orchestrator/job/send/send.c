/*
 * Sends files to a machine: first what names them is shown (a signed variant or kit), because the
 * machine takes no bytes that nobody signed for; then each file that it has not got, under its hash,
 * chunk by chunk. The machine says how far a former attempt came, so a lost session or a killed lud
 * costs one chunk. A full store is asked once for each file to drop what nobody uses.
 *
 *   send_show ---> admit ---> begin ---> chunk ... chunk ---> next file, or done
 *                    ^          |          |
 *                    `-- drop <-'----------'   the store is full, for the first time
 *
 * Nothing is remembered from one attempt to the next: the machine's offset is the only truth
 * about how far a file is.
 */
#include "orchestrator/job/send/send.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "proto/envelope/envelope.h"

/* No flat kit is longer, and no state description comes near it. */
#define SEND_FILE_MAX KIT_FLAT_LEN_MAX

static void send_begin(struct send *send);

static struct send_file *send_current(struct send *send)
{
	return &send->files[send->at];
}

void send_init(struct send *send, struct machine *machine, size_t chunk_size,
        const struct send_ops *ops, void *arg)
{
	send_fini(send);
	*send = (struct send){.machine = machine, .ops = ops, .arg = arg, .chunk_size = chunk_size};
}

void send_stop(struct send *send)
{
	if (send->machine) {
		machine_forget(send->machine, send);
	}
}

void send_fini(struct send *send)
{
	send_stop(send);
	for (size_t i = 0; i < send->n_files; i++) {
		free(send->files[i].bytes);
		free(send->files[i].path);
	}
	*send = (struct send){0};
}

struct send_file *send_add(struct send *send, const uint8_t hash[64], size_t size)
{
	struct send_file *file = &send->files[send->n_files++];

	file->size = size;
	memcpy(file->hash, hash, sizeof(file->hash));
	return file;
}

static void send_ask(struct send *send, Machine__Request *request, channel_reply_fn fn)
{
	int r = machine_request(send->machine, request, SEND_ANSWER_USEC, fn, send);

	if (r < 0) {
		err_forget();
		send->ops->refused(r, NULL, send->arg);
	}
}

/* The next file that the machine has not got, or the end. */
static void send_next(struct send *send)
{
	size_t size = 0;

	while (send->at < send->n_files && send_current(send)->is_there) {
		send->at++;
	}
	if (send->at < send->n_files) {
		send_begin(send);
		return;
	}
	for (size_t i = 0; i < send->n_files; i++) {
		size += send->files[i].is_there ? 0 : send->files[i].size;
	}
	send->ops->done(size, send->arg);
}

/* What the machine says of a file; NULL: it does not name it. */
static const Machine__StageEntry *send_blob(
        const struct send_file *file, const Machine__Admitted *admitted)
{
	for (size_t i = 0; i < admitted->n_blobs; i++) {
		const Machine__StageEntry *blob = admitted->blobs[i];

		if (blob->hash.len == sizeof(file->hash) &&
		        !memcmp(blob->hash.data, file->hash, sizeof(file->hash))) {
			return blob;
		}
	}
	return NULL;
}

/*
 * Read whole, and freed with the rest: a file that changes while it is sent would fail by its hash,
 * late. One of another length is another file.
 */
static int send_load(struct send_file *file)
{
	size_t size;
	int r;

	free(file->bytes);
	file->bytes = NULL;
	r = file_read(file->path, SEND_FILE_MAX, &file->bytes, &size);
	if (r < 0) {
		return err_up(r);
	}
	return size == file->size ? 0 : err_raise(-EBADMSG);
}

static void send_on_admitted(int r, const Machine__Reply *reply, void *arg)
{
	struct send *send = arg;
	struct failure failure;

	if (r || reply->body_case != MACHINE__REPLY__BODY_ADMITTED) {
		send->ops->refused(r, reply, send->arg);
		return;
	}
	for (size_t i = 0; i < send->n_files; i++) {
		struct send_file *file = &send->files[i];
		const Machine__StageEntry *blob = send_blob(file, reply->admitted);

		file->is_there = blob ? blob->complete : file->is_optional;
		r = file->is_there || !file->path ? 0 : send_load(file);
		if (r < 0) {
			failure_set(&failure, "kit", file->path, SEND_KIT_REMEDY,
			        "the file is not the one that was signed: %s", strerror(-r));
			err_forget();
			send->ops->failed(&failure, send->arg);
			return;
		}
	}
	send_next(send);
}

void send_show(struct send *send, const uint8_t *envelope, size_t envelope_size,
        const uint8_t *seed, size_t seed_size)
{
	Machine__Admit admit = MACHINE__ADMIT__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	send->at = 0;
	admit.envelope.data = (uint8_t *)envelope;
	admit.envelope.len = envelope_size;
	admit.seed.data = (uint8_t *)seed;
	admit.seed.len = seed_size;
	request.body_case = MACHINE__REQUEST__BODY_ADMIT;
	request.admit = &admit;
	send_ask(send, &request, send_on_admitted);
}

/*
 * There is room as far as there can be. What was staged before this file is unused yet and went with
 * the rest, so all begins again.
 */
static void send_on_dropped(int r, const Machine__Reply *reply, void *arg)
{
	struct send *send = arg;

	if (r || reply->body_case == MACHINE__REPLY__BODY_ERROR) {
		send->ops->refused(r, reply, send->arg);
		return;
	}
	send->ops->again(send->arg);
}

/* Whether the refusal is a full store that may have something to drop. */
static bool send_make_room(struct send *send, const Machine__Reply *reply)
{
	Machine__StageDrop drop = MACHINE__STAGE_DROP__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	if (reply->body_case != MACHINE__REPLY__BODY_ERROR ||
	        reply->error->class_ != WIRE__ERROR_CLASS__ERROR_FULL ||
	        send_current(send)->dropped) {
		return false;
	}
	send_current(send)->dropped = true;
	request.body_case = MACHINE__REQUEST__BODY_STAGE_DROP;
	request.stage_drop = &drop;
	send_ask(send, &request, send_on_dropped);
	return true;
}

static void send_fail(struct send *send, const char *code, const char *remedy, const char *cause)
{
	struct failure failure;

	failure_set(&failure, code, "agent", remedy, "%s", cause);
	send->ops->failed(&failure, send->arg);
}

/*
 * Sends the next chunk. A file that is there to its last byte and not complete has another hash:
 * something between here and the machine damages data, and more chunks would not help.
 */
static void send_chunk(struct send *send);

/*
 * The answer to a begin and to every chunk: how far the file is. What the machine claims is
 * checked against the file's size and then believed: it is the one who has the bytes.
 */
static void send_on_progress(int r, const Machine__Reply *reply, void *arg)
{
	struct send *send = arg;
	struct send_file *file = send_current(send);
	char cause[96];

	if (r || reply->body_case != MACHINE__REPLY__BODY_STAGE) {
		if (r || !send_make_room(send, reply)) {
			send->ops->refused(r, reply, send->arg);
		}
		return;
	}
	if (reply->stage->offset > file->size) {
		snprintf(cause, sizeof(cause),
		        "the machine claims to have %" PRIu64 " of %zu bytes", reply->stage->offset,
		        file->size);
		send_fail(send, "protocol", "update lud or the machine", cause);
		return;
	}
	file->offset = reply->stage->offset;
	send->ops->came(file, send->arg);
	if (reply->stage->complete) {
		/* It computed the hash itself. */
		send->at++;
		send_next(send);
	} else {
		send_chunk(send);
	}
}

static void send_chunk(struct send *send)
{
	struct send_file *file = send_current(send);
	Machine__StageChunk chunk = MACHINE__STAGE_CHUNK__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;
	size_t left = file->size - file->offset;

	if (!left) {
		send_fail(send, "payload-mismatch",
		        "try again; if it stays, the channel damages data",
		        "all bytes are staged and the machine does not accept their hash");
		return;
	}
	chunk.hash.data = file->hash;
	chunk.hash.len = sizeof(file->hash);
	chunk.offset = file->offset;
	chunk.data.data = file->bytes + file->offset;
	chunk.data.len = left < send->chunk_size ? left : send->chunk_size;
	request.body_case = MACHINE__REQUEST__BODY_STAGE_CHUNK;
	request.stage_chunk = &chunk;
	send_ask(send, &request, send_on_progress);
}

/*
 * Asks for room and for the offset to go on from, which a file that was staged before has behind
 * it.
 */
static void send_begin(struct send *send)
{
	struct send_file *file = send_current(send);
	Machine__StageBegin begin = MACHINE__STAGE_BEGIN__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	begin.hash.data = file->hash;
	begin.hash.len = sizeof(file->hash);
	begin.len = file->size;
	request.body_case = MACHINE__REQUEST__BODY_STAGE_BEGIN;
	request.stage_begin = &begin;
	send_ask(send, &request, send_on_progress);
}
