/*
 * Commands of luctl against a lud that answers anything: the first two bytes choose the command and
 * whether it prints JSON; the rest decides what comes back, message by message: raw bytes, or
 * fields as the protocol has them, with any values. What the real client checks is checked here by
 * the same calls; the channel itself has fuzzers of its own. What is printed goes nowhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/base/base.h"
#include "ctl/base/clean.h"
#include "ctl/client/client.h"
#include "ctl/client/place.h"
#include "ctl/client/reply.h"
#include "ctl/client/stream_tls.h"
#include "ctl/client/wait.h"
#include "ctl/cmd/cmd.h"
#include "ctl/cmdline/cmdline.h"
#include "proto/frame/arena.h"

#define ARENA_BYTES (1u << 20)
#define MESSAGE_MAX 2048

int luctl_main(int argc, char **argv);

struct client {
	struct wire_arena arena;
	uint8_t bytes[ARENA_BYTES] __attribute__((aligned(16)));
};

static struct client only_client;
static const uint8_t *input;
static size_t input_left;
static bool is_raw; /* as for --json */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (!freopen("/dev/null", "w", stdout)) {
		abort();
	}
	wire_arena_init(&only_client.arena, only_client.bytes, sizeof(only_client.bytes));
	return 0;
}

int client_open(const char *path, struct client **ret_client)
{
	*ret_client = &only_client;
	return CTL_OK;
}

void client_keep_raw(void)
{
}

bool client_can_connect(const char *path)
{
	return true;
}

void client_stop_at(struct client *client, int fd)
{
}

void wait_limit(uint32_t msec)
{
}

/* So that a watch ends when lud does. */
bool wait_is_interrupted(void)
{
	return true;
}

void client_closep(struct client **client)
{
	*client = NULL;
}

static uint8_t next_byte(void)
{
	input_left -= input_left > 0;
	return input_left > 0 ? *input++ : 0;
}

static size_t put_varint(uint8_t *to, uint64_t value)
{
	size_t n = 0;

	for (; value > 127; value >>= 7) {
		to[n++] = (uint8_t)(value | 0x80);
	}
	to[n++] = (uint8_t)value;
	return n;
}

static size_t put_message(uint8_t *to, size_t room, const ProtobufCMessageDescriptor *type);

/* One value of a field; 0: no room. */
static size_t put_value(uint8_t *to, size_t room, const ProtobufCFieldDescriptor *field)
{
	uint8_t inside[MESSAGE_MAX];
	uint8_t how = next_byte();
	size_t n, len;

	if (room < 32) {
		return 0;
	}
	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		len = put_message(inside, room - 16, field->descriptor);
	} else if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES) {
		for (len = 0; len < how % 16u; len++) {
			inside[len] = next_byte();
		}
	} else if (field->type == PROTOBUF_C_TYPE_FIXED64) {
		n = put_varint(to, (uint64_t)field->id << 3 | 1);
		memset(to + n, how, 8);
		return n + 8;
	} else {
		n = put_varint(to, (uint64_t)field->id << 3);
		return n + put_varint(to + n, how < 192 ? how : (uint64_t)how << (how % 64));
	}
	n = put_varint(to, (uint64_t)field->id << 3 | 2);
	n += put_varint(to + n, len);
	memcpy(to + n, inside, len);
	return n + len;
}

/* Fields of a message, most of them; lists are short. */
static size_t put_message(uint8_t *to, size_t room, const ProtobufCMessageDescriptor *type)
{
	size_t n = 0;

	for (unsigned int i = 0; i < type->n_fields; i++) {
		uint8_t how = next_byte();
		unsigned int times =
		        type->fields[i].label == PROTOBUF_C_LABEL_REPEATED ? how % 3 : 1;

		for (; how % 8 != 7 && times > 0 && room - n < MESSAGE_MAX; times--) {
			n += put_value(to + n, room - n, &type->fields[i]);
		}
	}
	return n;
}

/* What lud says: a reply of some kind, with a chosen body last, so that it is the one that counts;
 * or progress or log lines. */
static size_t put_from_lud(uint8_t *to)
{
	const ProtobufCMessageDescriptor *reply = &control__reply__descriptor;
	const ProtobufCFieldDescriptor *body;
	uint8_t inside[MESSAGE_MAX];
	uint8_t how = next_byte();
	size_t n, len;

	if (how % 8 == 7) {
		const ProtobufCMessageDescriptor *from = &control__from_lud__descriptor;

		return put_value(to, MESSAGE_MAX, &from->fields[how / 8 % from->n_fields]);
	}
	body = &reply->fields[how / 8 % reply->n_fields];
	len = put_value(inside, MESSAGE_MAX - 16, body);
	n = put_varint(to, 1 << 3 | 2);
	n += put_varint(to + n, len);
	memcpy(to + n, inside, len);
	return n + len;
}

/* The next message; NULL: no more, or it would end the session. */
static const Control__FromLud *message_next(void)
{
	uint8_t bytes[2 * MESSAGE_MAX];
	Control__FromLud *from;
	size_t len = 0;
	uint8_t how = next_byte();

	if (input_left < 2) {
		return NULL;
	}
	wire_arena_reset(&only_client.arena);
	if (how % 4 == 3) {
		for (; len < how; len++) {
			bytes[len] = next_byte();
		}
	} else {
		len = put_from_lud(bytes);
	}
	from = reply_unpack(&only_client.arena.allocator, bytes, len);
	if (from && !is_raw) {
		clean_message(&from->base, &only_client.arena.allocator);
	}
	return from;
}

int client_call(struct client *client, Control__Request *request, client_news_fn news, void *arg,
        const Control__Reply **ret_reply)
{
	const Control__FromLud *from;

	while ((from = message_next())) {
		if (from->body_case != CONTROL__FROM_LUD__BODY_REPLY) {
			if (news) {
				news(from, arg);
			}
			continue;
		}
		if (!reply_answers(request, from->reply) ||
		        from->reply->body_case == CONTROL__REPLY__BODY_ERROR) {
			return CTL_HELD;
		}
		*ret_reply = from->reply;
		return CTL_OK;
	}
	return CTL_UNREACHABLE;
}

int stream_check_tls(const struct hosts_entry *host)
{
	return CTL_OK;
}

char *place_socket(void)
{
	return ctl_format("%s", "/nowhere");
}

char *place_build(void)
{
	return NULL;
}

char *place_keys(void)
{
	return ctl_format("%s", "/nowhere");
}

char *place_ca(void)
{
	return ctl_format("%s", "/nowhere");
}

/* A text of an option, of bytes that lead somewhere. */
static const char *next_text(char *to, size_t size)
{
	static const char letters[] = "0123456789:-,smhof ";
	size_t n = next_byte() % size;

	for (size_t i = 0; i < n; i++) {
		to[i] = letters[next_byte() % (sizeof(letters) - 1)];
	}
	to[n] = '\0';
	return to;
}

/* --every and what belongs to it: a standing order instead of a job. */
static void next_standing(struct options *options)
{
	static char every[8], quiet[120];

	options->every = next_byte() % 2 ? next_text(every, sizeof(every)) : "20s";
	options->quiet = next_text(quiet, sizeof(quiet));
	options->jitter_ms = next_byte() * 1000u;
	options->for_ms = (uint64_t)next_byte() << 24;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const commands[])(const struct options *) = {cmd_status, cmd_update,
	        cmd_rollback, cmd_rerandomize, cmd_history, cmd_show, cmd_machine_list,
	        cmd_machine_start, cmd_machine_stop, cmd_release_list, cmd_log, cmd_version,
	        cmd_entropy, cmd_plan_update, cmd_plan_rollback, cmd_plan_rerandomize,
	        cmd_release_show, cmd_release_diff, cmd_release_block, cmd_release_clear,
	        cmd_release_remove, cmd_watch};
	char name[] = "ds", number[] = "5";
	char *args[] = {name, number, NULL};
	struct options options;

	if (size < 3) {
		return 0;
	}
	cmdline_init(&options);
	options.args = args;
	options.n_args = data[0] / 16 % 2 + 1;
	options.json = data[0] / 32 % 2;
	options.follow = data[0] / 64 % 2;
	is_raw = options.json;
	input = data + 2;
	input_left = size - 2;
	if (data[0] / 128) {
		next_standing(&options);
	}
	(void)commands[(data[0] % 16 + data[1] % 2 * 16u) %
	               (sizeof(commands) / sizeof(commands[0]))](&options);
	return 0;
}
