#pragma once
/*
 * The agent's parts: bytes to and from the channel driver (channel.c), frames and the session with
 * the host (peer.c), requests (request.c), what is asked of RS (rs.c), records as protocol messages
 * (answer.c, standing.c), events (follow.c).
 */
#include "osd/lib/request/rs.h"
#include "proto/frame/arena.h"
#include "proto/machine/machine.pb-c.h"

/* The largest frame that the agent itself sends. */
#define AGENT_FRAME_MAX 16384u

/* The byte channel. */

/* Tell the driver that we are its client. Errors: those of the request, E_DEAD and others. */
err_t channel_open(void);
/* Is this the name of the driver below us? */
bool channel_is(const char *service);
/* Move waiting output to the driver. True if anything moved. */
bool channel_flush(void);
/* Bytes that channel_put() takes now. */
uint32_t channel_space(void);
/* Queue bytes; the caller has asked for the space. */
void channel_put(const void *bytes, uint32_t n);
/* Input that came and is not consumed yet; asks the driver for more when there is none. */
const uint8_t *channel_peek(uint32_t *ret_n);
/* The first n of the bytes that channel_peek() showed are done with. */
void channel_consume(uint32_t n);

/* Frames and the session. */

/* Begin with an empty decoder and no session, and greet. */
void peer_start(void);
/* Take one frame, and let its request be answered. False: no whole frame is there. */
bool peer_step(void);
/* Pack a message and send it as a frame of the session; dropped when there is none.
 * False: it is longer than AGENT_FRAME_MAX. */
bool peer_send(const Machine__FromMachine *msg);
bool peer_is_open(void);
/* Bytes were lost below us: the session cannot go on. */
void peer_broken(void);
/* The rest of a frame has not come for FRAME_STALL_MSEC. */
void peer_alarm(void);

/* Serve one request; everything unpacked and built lives in the arena until the next. */
void request_serve(const Machine__Request *req, struct wire_arena *arena);

/* RS, asked through one grant on a buffer that both requests and answers use. */
#define RS_BUFFER_BYTES 40960u
/* RS_BUFFER_BYTES; what an answer left there lasts until the next request to RS. */
uint8_t *rs_buffer(void);
endpoint_t rs_endpoint(void);
/* The payload of a request to RS, with the grant on the buffer. `bytes` of the buffer are the
 * request's record, or the space for the answer; the row says what the other two are. */
struct rs_request rs_request_make(uint32_t bytes, uint64_t argument, uint64_t total);
/* Result of a transaction, or NULL: unknown. Lives in the buffer. */
const struct rs_result *rs_result_of(uint64_t epoch, uint64_t txn);

/* Records as messages, in the arena; NULL when it is full. */
Wire__Error *answer_error(struct wire_arena *arena, err_t err, const char *step);
Machine__Service *answer_service(struct wire_arena *arena, const struct rs_service *service);
Machine__Resources *answer_resources(struct wire_arena *arena, const struct rs_resources *from);
Machine__Result *answer_result(struct wire_arena *arena, const struct rs_result *result);
Machine__Event *answer_event(struct wire_arena *arena, const struct rs_event *event);
/* The machine's standing order, asked of RS; NULL: there was none in this boot. */
Machine__Standing *standing_answer(struct wire_arena *arena);
char *answer_text(struct wire_arena *arena, const char *text, size_t max);
ProtobufCBinaryData answer_bytes(struct wire_arena *arena, const void *bytes, size_t n);
const char *answer_step_name(enum rs_step step);

/* Events. */

/* Learn this boot's id and have RS notify us of news. Errors: RS's. */
err_t follow_start(void);
/* The host wants events from now on: those behind `after`, if it is of this boot, else all. */
void follow_subscribe(uint64_t after, uint64_t boot_id);
void follow_stop(void);
/* RS has news: look for what concerns the channel. */
void follow_news(void);
/* Send the next event to the host, if there is room. False: nothing to send. */
bool follow_step(void);
/* Oldest and newest event that RS has, and how many the host has missed for good. */
void follow_window(Machine__EventWindow *ret_window);
uint64_t follow_boot_id(void);
