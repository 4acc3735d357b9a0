/*
 * The host at the other end: frames out of bytes, and the session they belong to. Memory for a
 * request and its answer is one arena of fixed size, so a peer cannot make the agent grow. Serving
 * it, what RS does for that included, takes half of the machine's time at most: the agent goes
 * before most services, and a peer that sends without end would leave them none. What is not
 * served yet waits in the channel.
 *
 * Frames and sessions themselves are proto/frame's; here is what happens between their events:
 *
 *	bytes that are no frame       the session ends (BYE), and the decoder looks for the next frame
 *	HELLO                         a new session, also in the middle of another
 *	a message that is no request  the session ends
 *	a request                     served at once; the reply is queued before the next is taken
 *	a frame cut short             after FRAME_STALL_MSEC without a byte the session ends
 *
 * There is one alarm and two uses of it, the end of a pause and a frame's rest. Each looks again
 * when it comes, so that one that came for the other does no harm.
 */
#include "osd/servers/agent/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/state/annotate.h"
#include "osd/lib/sys/share.h"
#include "proto/frame/session.h"

#define PEER_STALL_NSEC (FRAME_STALL_MSEC * 1000000ull)
#define PEER_VERSION 2u
#define PEER_ARENA_BYTES (2 * FRAME_SIZE_MAX)
#define PEER_FEATURES (WIRE__FEATURE__FEATURE_METRICS | WIRE__FEATURE__FEATURE_LAYOUTS)

static uint8_t peer_input[FRAME_SIZE_MAX]; /* the decoder's: the frame that is coming in */
static struct frame_decoder peer_decoder;
static struct session peer_session;
static uint8_t peer_frame[AGENT_FRAME_MAX] STATE_SKIP;   /* of the frame that is going out */
static uint8_t peer_memory[PEER_ARENA_BYTES] STATE_SKIP; /* of the request being served */
static const struct share_limit peer_limit = {.parts = 2, .burst = 10 * 1000000ull};
static struct share peer_share;
static bool peer_waits_for_rest; /* the alarm that is set is for the rest of a frame */
static nsec_t peer_fed_at;       /* when bytes came last, or could be looked at again */

/* Greet whoever is there. The machine's id is that of RS's boot image; zeros if RS does not say. */
void peer_start(void)
{
	struct session_identity self = {
	        .min_version = PEER_VERSION,
	        .max_version = PEER_VERSION,
	        .features = PEER_FEATURES,
	        .software = "osd agent",
	        .boot_id = follow_boot_id(),
	};
	const struct rs_resources *resources = (const struct rs_resources *)rs_buffer();
	uint8_t greet[SESSION_OUT_MAX];

	if (rs_resources(rs_endpoint(), rs_request_make(sizeof(*resources), 0, 0)).err == E_OK) {
		memcpy(self.machine_id, resources->machine_id, sizeof(self.machine_id));
	}
	frame_decoder_init(&peer_decoder, peer_input, sizeof(peer_input));
	session_init(&peer_session, SESSION_RESPONDER, &self);
	channel_put(greet, (uint32_t)session_greet(&peer_session, greet));
}

bool peer_is_open(void)
{
	return peer_session.state == SESSION_OPEN;
}

/* Say BYE with a reason (WIRE__BYE_REASON__*), and stop sending events. Without a session nothing is
 * said. */
static void peer_end(uint32_t reason)
{
	uint8_t out[SESSION_OUT_MAX];
	size_t n = session_end(&peer_session, reason, out);

	follow_stop();
	channel_put(out, (uint32_t)n);
}

void peer_broken(void)
{
	frame_decoder_reset(&peer_decoder);
	peer_end(WIRE__BYE_REASON__BYE_FRAME);
}

/* The frame is whole in the channel's output before this returns: peer_step() left room for it. */
bool peer_send(const Machine__FromMachine *msg)
{
	size_t n = machine__from_machine__get_packed_size(msg);

	if (!peer_is_open()) {
		return true;
	}
	if (n > sizeof(peer_frame) - FRAME_HEADER_SIZE) {
		return false;
	}
	machine__from_machine__pack(msg, peer_frame + FRAME_HEADER_SIZE);
	channel_put(peer_frame, (uint32_t)session_seal(&peer_session, peer_frame, n));
	return true;
}

/* A request: unpacked, served and answered inside one arena, which ends with it. */
static void peer_message(const struct frame *frame)
{
	struct wire_arena arena;
	Machine__Request *req;

	wire_arena_init(&arena, peer_memory, sizeof(peer_memory));
	req = machine__request__unpack(&arena.allocator, frame->len, frame->payload);
	if (req == NULL) {
		peer_end(WIRE__BYE_REASON__BYE_FRAME);
		return;
	}
	request_serve(req, &arena);
}

/*
 * A peer that speaks no version of ours is told so by BYE, and the log
 * of the machine says it too.
 */
static void peer_turned_away(void)
{
	sef_log("a peer was turned away: it does not speak version %u of the machine protocol, "
	        "and this machine speaks no other",
	        PEER_VERSION);
}

/* A whole frame with the right checksum. What the session wants said in return goes out first. */
static void peer_take(const struct frame *frame)
{
	uint8_t out[SESSION_OUT_MAX];
	size_t n = 0;
	enum session_event event = session_receive(&peer_session, frame, out, &n);

	if (frame->type == FRAME_HELLO && n > 0 && out[FRAME_TYPE_AT] == FRAME_BYE) {
		peer_turned_away();
	}

	channel_put(out, (uint32_t)n);
	switch (event) {
	case SESSION_MESSAGE:
		peer_message(frame);
		break;
	case SESSION_OPENED:
	case SESSION_ENDED:
	case SESSION_REFUSED:
	case SESSION_LOST:
		follow_stop();
		break;
	case SESSION_NOTHING:
	case _SESSION_EVENT_N:
		break;
	}
}

/* Give the decoder what the channel has, as far as it takes it. False: it took nothing. */
static bool peer_feed(void)
{
	uint32_t n;
	const uint8_t *bytes = channel_peek(&n);
	size_t taken = frame_decoder_feed(&peer_decoder, bytes, n);

	channel_consume((uint32_t)taken);
	if (taken > 0) {
		peer_fed_at = sys_clock_read();
	}
	return taken > 0;
}

/* While a frame is incomplete an alarm runs, so that a cut frame does not hide what follows it. */
static void peer_watch_rest(void)
{
	bool partial = frame_decoder_is_partial(&peer_decoder) != 0;

	if (partial || peer_waits_for_rest) {
		(void)sys_alarm_set(partial ? peer_fed_at + PEER_STALL_NSEC : 0);
	}
	peer_waits_for_rest = partial;
}

void peer_alarm(void)
{
	if (sys_clock_read() < peer_fed_at + PEER_STALL_NSEC) {
		return; /* bytes came meanwhile: the pump looks again */
	}
	if (peer_waits_for_rest && frame_decoder_is_partial(&peer_decoder)) {
		frame_decoder_stalled(&peer_decoder);
		peer_end(WIRE__BYE_REASON__BYE_FRAME);
	}
	peer_waits_for_rest = false;
}

/* Has the peer had its share? Then an alarm ends the pause. */
static bool peer_has_to_wait(nsec_t now)
{
	nsec_t wait = share_wait(&peer_share, &peer_limit, now);

	if (wait > 0) {
		(void)sys_alarm_set(now + wait);
	}
	return wait > 0;
}

/* Take one frame, or what is none. False: nothing more is there. */
static bool peer_take_next(void)
{
	struct frame frame;

	for (;;) {
		switch (frame_decoder_next(&peer_decoder, &frame)) {
		case FRAME_OK:
			peer_take(&frame);
			return true;
		case FRAME_BAD:
			peer_end(WIRE__BYE_REASON__BYE_FRAME);
			return true;
		case FRAME_NEED:
			if (!peer_feed()) {
				peer_watch_rest();
				return false;
			}
			break;
		case _FRAME_RESULT_N:
			break;
		}
	}
}

/* Garbage is charged as requests are: looking for a frame in it takes time too. */
bool peer_step(void)
{
	nsec_t begun = sys_clock_read();
	bool moved;

	if (channel_space() < AGENT_FRAME_MAX + SESSION_OUT_MAX || peer_has_to_wait(begun)) {
		peer_fed_at = begun; /* what is there is not looked at */
		return false;
	}
	moved = peer_take_next();
	share_charge(&peer_share, &peer_limit, begun, sys_clock_read());
	return moved;
}
