/* Two sessions talking to each other, over a channel that the test spoils. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "proto/frame/hello.pb-c.h"
#include "proto/frame/session.h"

/* Bytes on their way, and what the receiver makes of them. */
struct pipe {
	uint8_t bytes[4096];
	size_t len;
};

static uint8_t decoder_buf[FRAME_SIZE_MAX];

static const struct session_identity host_id = {
        .min_version = 1, .max_version = 3, .features = 7, .software = "lud 1"};
static const struct session_identity machine_id = {.min_version = 2,
        .max_version = 5,
        .features = 0x106,
        .software = "agent 1",
        .machine_id = {1, 2, 3},
        .boot_id = 99};

static void pipe_put(struct pipe *p, const uint8_t *bytes, size_t len)
{
	assert(p->len + len <= sizeof(p->bytes));
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static void pipe_put_data(struct pipe *p, struct session *s, const char *text)
{
	uint8_t buf[FRAME_HEADER_SIZE + 64];
	size_t len = strlen(text);

	memcpy(buf + FRAME_HEADER_SIZE, text, len);
	pipe_put(p, buf, session_seal(s, buf, len));
}

/* Deliver everything; answers go to back. Returns the last event that is not nothing. */
static enum session_event pipe_deliver(
        struct pipe *p, struct session *to, struct pipe *back, unsigned int *ret_n_messages)
{
	enum session_event last = SESSION_NOTHING;
	struct frame_decoder d;
	struct frame frame;
	unsigned int n = 0;

	frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
	assert(frame_decoder_feed(&d, p->bytes, p->len) == p->len);
	p->len = 0;
	while (frame_decoder_next(&d, &frame) == FRAME_OK) {
		uint8_t out[SESSION_OUT_MAX];
		size_t out_len;
		enum session_event event = session_receive(to, &frame, out, &out_len);

		pipe_put(back, out, out_len);
		n += event == SESSION_MESSAGE;
		last = event != SESSION_NOTHING ? event : last;
	}
	if (ret_n_messages != NULL) {
		*ret_n_messages = n;
	}
	return last;
}

struct pair {
	struct session host;
	struct session machine;
	struct pipe up;   /* to the machine */
	struct pipe down; /* to the host */
};

static void pair_init(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	session_init(&p->host, SESSION_INITIATOR, &host_id);
	session_init(&p->machine, SESSION_RESPONDER, &machine_id);
}

static void pair_hello(struct pair *p, uint64_t nonce)
{
	uint8_t out[SESSION_OUT_MAX];

	pipe_put(&p->up, out, session_hello(&p->host, nonce, out));
}

static void pair_open(struct pair *p, uint64_t nonce)
{
	pair_hello(p, nonce);
	assert(pipe_deliver(&p->up, &p->machine, &p->down, NULL) == SESSION_OPENED);
	assert(pipe_deliver(&p->down, &p->host, &p->up, NULL) == SESSION_OPENED);
	assert(p->host.state == SESSION_OPEN && p->machine.state == SESSION_OPEN);
	assert(p->host.nonce == nonce && p->machine.nonce == nonce);
}

static void test_opens(void)
{
	struct pair p;
	unsigned int n;

	pair_init(&p);
	pair_open(&p, 5);
	assert(p.host.version == 3 && p.machine.version == 3);
	assert(p.host.features == 6 && p.machine.features == 6);
	assert(strcmp(p.host.peer.software, "agent 1") == 0 && p.host.peer.boot_id == 99);
	assert(memcmp(p.host.peer.machine_id, machine_id.machine_id, 16) == 0);
	pipe_put_data(&p.up, &p.host, "one");
	pipe_put_data(&p.up, &p.host, "two");
	assert(pipe_deliver(&p.up, &p.machine, &p.down, &n) == SESSION_MESSAGE && n == 2);
	pipe_put_data(&p.down, &p.machine, "three");
	assert(pipe_deliver(&p.down, &p.host, &p.up, &n) == SESSION_MESSAGE && n == 1);
}

/* Which version two ranges agree on; 0: refused. */
static void test_versions(void)
{
	static const struct {
		uint32_t host_min, host_max, machine_min, machine_max, version;
	} rows[] = {
	        {1, 1, 1, 1, 1},
	        {1, 2, 1, 1, 1},
	        {1, 1, 1, 9, 1},
	        {2, 4, 3, 9, 4},
	        {1, 1, 2, 2, 0},
	        {3, 4, 1, 2, 0},
	        {5, 1, 1, 9, 0},
	        {0, 0, 0, 0, 0},
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair p;
		enum session_event machine, host;

		pair_init(&p);
		p.host.self.min_version = rows[i].host_min;
		p.host.self.max_version = rows[i].host_max;
		p.machine.self.min_version = rows[i].machine_min;
		p.machine.self.max_version = rows[i].machine_max;
		pair_hello(&p, 5);
		machine = pipe_deliver(&p.up, &p.machine, &p.down, NULL);
		host = pipe_deliver(&p.down, &p.host, &p.up, NULL);
		if (rows[i].version != 0) {
			assert(machine == SESSION_OPENED && host == SESSION_OPENED);
			assert(p.host.version == rows[i].version);
			continue;
		}
		assert(machine == SESSION_NOTHING && host == SESSION_REFUSED);
		assert(p.host.state == SESSION_CLOSED && p.machine.state == SESSION_CLOSED);
		assert(p.host.bye == WIRE__BYE_REASON__BYE_VERSION);
		assert(p.host.peer.min_version == rows[i].machine_min);
	}
}

/* A refused stranger does not disturb the session that is open. */
static void test_refused_beside_open(void)
{
	struct pair p;
	struct session other;
	struct session_identity old = {.min_version = 1, .max_version = 1};
	uint8_t out[SESSION_OUT_MAX];
	unsigned int n;

	pair_init(&p);
	pair_open(&p, 5);
	session_init(&other, SESSION_INITIATOR, &old);
	pipe_put(&p.up, out, session_hello(&other, 6, out));
	assert(pipe_deliver(&p.up, &p.machine, &p.down, NULL) == SESSION_NOTHING);
	assert(pipe_deliver(&p.down, &p.host, &p.up, NULL) == SESSION_NOTHING);
	pipe_put_data(&p.up, &p.host, "still here");
	assert(pipe_deliver(&p.up, &p.machine, &p.down, &n) == SESSION_MESSAGE && n == 1);
}

static void test_new_hello_replaces(void)
{
	struct pair p;
	struct pipe stale = {.len = 0};
	unsigned int n;

	pair_init(&p);
	pair_open(&p, 5);
	pipe_put_data(&p.up, &p.host, "x");
	(void)pipe_deliver(&p.up, &p.machine, &p.down, NULL);
	pipe_put_data(&stale, &p.machine, "of the old session");
	pair_open(&p, 6);
	assert(p.machine.n_received == 0 && p.host.n_sent == 0);
	assert(pipe_deliver(&stale, &p.host, &p.up, &n) == SESSION_NOTHING && n == 0);
}

/* A repeated Hello is answered until messages come, and never starts anew. */
static void test_repeated_hello(void)
{
	struct pair p;

	pair_init(&p);
	pair_hello(&p, 5);
	assert(pipe_deliver(&p.up, &p.machine, &p.down, NULL) == SESSION_OPENED);
	p.down.len = 0;
	pair_hello(&p, 5);
	pipe_put_data(&p.down, &p.machine, "lost with the welcome");
	p.down.len = 0;
	assert(pipe_deliver(&p.up, &p.machine, &p.down, NULL) == SESSION_NOTHING);
	assert(p.machine.n_sent == 1);
	assert(pipe_deliver(&p.down, &p.host, &p.up, NULL) == SESSION_OPENED);
	pipe_put_data(&p.up, &p.host, "x");
	(void)pipe_deliver(&p.up, &p.machine, &p.down, NULL);
	pair_hello(&p, 5);
	assert(pipe_deliver(&p.up, &p.machine, &p.down, NULL) == SESSION_NOTHING);
	assert(p.down.len == 0 && p.machine.n_received == 1);
}

/* Lost or repeated frames end the session on both sides. */
static void test_sequence(void)
{
	for (int repeat = 0; repeat < 2; repeat++) {
		struct pair p;
		struct pipe again;
		unsigned int n;

		pair_init(&p);
		pair_open(&p, 5);
		pipe_put_data(&p.up, &p.host, "first");
		again = p.up;
		if (repeat) {
			pipe_put(&p.up, again.bytes, again.len);
		} else {
			p.up.len = 0;
			pipe_put_data(&p.up, &p.host, "second");
		}
		assert(pipe_deliver(&p.up, &p.machine, &p.down, &n) == SESSION_ENDED);
		assert(n == (unsigned int)repeat && p.machine.state == SESSION_CLOSED);
		assert(pipe_deliver(&p.down, &p.host, &p.up, NULL) == SESSION_ENDED);
		assert(p.host.bye == WIRE__BYE_REASON__BYE_SEQUENCE);
	}
}

/* A machine that starts anew asks for a Hello, unasked or when spoken to. */
static void test_greet(void)
{
	struct pair p;
	uint8_t out[SESSION_OUT_MAX];

	pair_init(&p);
	pair_open(&p, 5);
	session_init(&p.machine, SESSION_RESPONDER, &machine_id);
	pipe_put_data(&p.up, &p.host, "hello?");
	pipe_put_data(&p.up, &p.host, "anybody?");
	assert(pipe_deliver(&p.up, &p.machine, &p.down, NULL) == SESSION_NOTHING);
	assert(pipe_deliver(&p.down, &p.host, &p.up, NULL) == SESSION_LOST);
	pair_open(&p, 6);
	pipe_put(&p.down, out, frame_seal(out, FRAME_GREET, 5, 0, 0));
	assert(pipe_deliver(&p.down, &p.host, &p.up, NULL) == SESSION_NOTHING);
	assert(p.host.state == SESSION_OPEN);
	pipe_put(&p.down, out, session_greet(&p.machine, out));
	assert(pipe_deliver(&p.down, &p.host, &p.up, NULL) == SESSION_LOST);
	pair_hello(&p, 7);
	p.up.len = 0;
	pipe_put(&p.down, out, session_greet(&p.machine, out));
	assert(pipe_deliver(&p.down, &p.host, &p.up, NULL) == SESSION_NOTHING);
	assert(pipe_deliver(&p.up, &p.machine, &p.down, NULL) == SESSION_OPENED);
}

static void test_end(void)
{
	struct pair p;
	uint8_t out[SESSION_OUT_MAX];

	pair_init(&p);
	assert(session_end(&p.machine, WIRE__BYE_REASON__BYE_FRAME, out) == 0);
	pair_open(&p, 5);
	pipe_put(&p.up, out, session_end(&p.host, WIRE__BYE_REASON__BYE_CLOSING, out));
	assert(p.host.state == SESSION_CLOSED);
	assert(pipe_deliver(&p.up, &p.machine, &p.down, NULL) == SESSION_ENDED);
	assert(p.machine.bye == WIRE__BYE_REASON__BYE_CLOSING);
}

/* Frames that make no sense for the role, or are not what they say, are nothing. */
static void test_nonsense(void)
{
	static const enum frame_type types[] = {FRAME_HELLO, FRAME_WELCOME, FRAME_GREET, FRAME_BYE};
	uint8_t bytes[FRAME_HEADER_SIZE + 3];

	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct pair p;

		pair_init(&p);
		pair_open(&p, 5);
		memset(bytes + FRAME_HEADER_SIZE, 0xff, 3);
		pipe_put(&p.up, bytes, frame_seal(bytes, types[i], 9, 0, 3));
		assert(pipe_deliver(&p.up, &p.machine, &p.down, NULL) == SESSION_NOTHING);
		pipe_put(&p.down, bytes, frame_seal(bytes, types[i], 9, 0, 3));
		assert(pipe_deliver(&p.down, &p.host, &p.up, NULL) == SESSION_NOTHING);
		assert(p.host.state == SESSION_OPEN && p.machine.state == SESSION_OPEN);
		assert(p.up.len == 0 && p.down.len == 0);
	}
}

int main(void)
{
	test_opens();
	test_versions();
	test_refused_beside_open();
	test_new_hello_replaces();
	test_repeated_hello();
	test_sequence();
	test_greet();
	test_end();
	test_nonsense();
	return 0;
}
