/* What a service says reaches no terminal unescaped, wherever it stands in a message. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/base/clean.h"
#include "ctl/base/json.h"
#include "proto/control/control.pb-c.h"
#include "proto/frame/arena.h"

#define EVIL "\x1b]0;owned\x07"
#define EVIL_ESCAPED "\\x1b]0;owned\\x07"

static uint8_t memory[65536], packed[4096];

static Control__FromLud *from_lud(struct wire_arena *arena, Control__FromLud *from)
{
	size_t size = control__from_lud__pack(from, packed);

	wire_arena_init(arena, memory, sizeof(memory));
	return control__from_lud__unpack(&arena->allocator, size, packed);
}

/* A list of messages in a message in a choice. */
static void test_log(void)
{
	Machine__LogLine first = MACHINE__LOG_LINE__INIT, second = MACHINE__LOG_LINE__INIT;
	Machine__LogLine *lines[] = {&first, &second};
	Control__LogChunk chunk = CONTROL__LOG_CHUNK__INIT;
	Control__FromLud from = CONTROL__FROM_LUD__INIT, *read;
	struct wire_arena arena;

	first.text = "good " EVIL;
	second.service = EVIL;
	second.text = "plain";
	chunk.lines = lines;
	chunk.n_lines = 2;
	from.body_case = CONTROL__FROM_LUD__BODY_LOG;
	from.log = &chunk;
	read = from_lud(&arena, &from);
	clean_message(&read->base, &arena.allocator);
	assert(!strcmp(read->log->lines[0]->text, "good " EVIL_ESCAPED));
	assert(!strcmp(read->log->lines[1]->service, EVIL_ESCAPED));
	assert(!strcmp(read->log->lines[1]->text, "plain"));
}

/* A list of strings, and a message within a message that may be absent. */
static void test_result(void)
{
	char *removed[] = {EVIL, "kept"};
	Machine__Result result = MACHINE__RESULT__INIT;
	Wire__Cause cause = WIRE__CAUSE__INIT;
	Control__Job job = CONTROL__JOB__INIT;
	Control__Progress progress = CONTROL__PROGRESS__INIT;
	Control__FromLud from = CONTROL__FROM_LUD__INIT, *read;
	struct wire_arena arena;

	result.removed = removed;
	result.n_removed = 2;
	cause.message = EVIL;
	job.result = &result;
	job.cause = &cause;
	progress.finished = &job;
	from.body_case = CONTROL__FROM_LUD__BODY_PROGRESS;
	from.progress = &progress;
	read = from_lud(&arena, &from);
	clean_message(&read->base, &arena.allocator);
	assert(!strcmp(read->progress->finished->result->removed[0], EVIL_ESCAPED));
	assert(!strcmp(read->progress->finished->result->removed[1], "kept"));
	assert(!strcmp(read->progress->finished->cause->message, EVIL_ESCAPED));
}

/* What counts of policies is a text of lines, and stays one; a line has no control characters. */
static void test_lines(void)
{
	Control__PolicySet set = CONTROL__POLICY_SET__INIT;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__FromLud from = CONTROL__FROM_LUD__INIT, *read;
	struct wire_arena arena;

	set.text = "a: 1\n" EVIL "\n\n  b: \\x0a\n";
	set.broken = "one\ntwo";
	reply.body_case = CONTROL__REPLY__BODY_POLICIES;
	reply.policies = &set;
	from.body_case = CONTROL__FROM_LUD__BODY_REPLY;
	from.reply = &reply;
	read = from_lud(&arena, &from);
	clean_message(&read->base, &arena.allocator);
	assert(!strcmp(read->reply->policies->text, "a: 1\n" EVIL_ESCAPED "\n\n  b: \\x0a\n"));
	assert(!strcmp(read->reply->policies->broken, "one\\x0atwo"));
}

/* --json keeps replies and logs as they are, but a notice goes to the terminal. */
static void test_beside_json(void)
{
	Control__Progress progress = CONTROL__PROGRESS__INIT;
	Control__Job job = CONTROL__JOB__INIT;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__FromLud from = CONTROL__FROM_LUD__INIT, *read;
	struct wire_arena arena;

	progress.notice = EVIL;
	from.body_case = CONTROL__FROM_LUD__BODY_PROGRESS;
	from.progress = &progress;
	read = from_lud(&arena, &from);
	clean_from_lud(read, true, &arena.allocator);
	assert(!strcmp(read->progress->notice, EVIL_ESCAPED));
	job.hint = EVIL;
	reply.body_case = CONTROL__REPLY__BODY_JOB;
	reply.job = &job;
	from.body_case = CONTROL__FROM_LUD__BODY_REPLY;
	from.reply = &reply;
	read = from_lud(&arena, &from);
	clean_from_lud(read, true, &arena.allocator);
	assert(!strcmp(read->reply->job->hint, EVIL));
	read = from_lud(&arena, &from);
	clean_from_lud(read, false, &arena.allocator);
	assert(!strcmp(read->reply->job->hint, EVIL_ESCAPED));
}

static void test_json(void)
{
	Machine__LogLine line = MACHINE__LOG_LINE__INIT;
	json_t *json;
	char *text;

	line.text = EVIL " \xff";
	json = json_of_message(&line.base);
	assert(!strcmp(json_string_value(json_object_get(json, "text")), EVIL " \xef\xbf\xbd"));
	text = json_dumps(json, 0);
	assert(strcasestr(text, "\\u001b]0;owned\\u0007"));
	free(text);
	json_decref(json);
}

int main(void)
{
	test_log();
	test_result();
	test_lines();
	test_beside_json();
	test_json();
	return 0;
}
