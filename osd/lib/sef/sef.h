#pragma once
/*
 * The service event framework: what makes a process a service. It starts it (fresh, as a successor
 * in a live update, or after a crash), answers RS's heartbeats, and brings it to a quiescent state
 * when RS prepares an update. All of it happens inside sef_startup() and sef_receive(); a service
 * holds no untyped memory across either.
 *
 *	static const struct sef_callbacks callbacks = {.init_fresh = init};
 *	int main(void)
 *	{
 *		struct message msg;
 *
 *		sef_startup(&callbacks);
 *		for (;;) {
 *			sef_receive(&msg);
 *			dispatch(&msg);
 *		}
 *	}
 */
#include "osd/abi/sef.h"
#include "osd/lib/sys/sys.h"

/* All may be NULL. */
struct sef_callbacks {
	/*
	 * First start, and restart after a crash unless init_restart is set.
	 * An error ends the instance.
	 */
	err_t (*init_fresh)(void);
	/* Successor in a live update, called in the blackout in place of the typed state transfer.
	 * The instance is uncommitted. */
	err_t (*init_update)(void);
	err_t (*init_restart)(void);
	/*
	 * An update wants this state (QS_*). An error refuses; E_OK: the
	 * service works towards it.
	 */
	err_t (*prepare)(uint32_t state);
	/* Is this one of the service's own states (QS_CUSTOM and up)? */
	bool (*state_is_valid)(uint32_t state);
	/*
	 * May the service be stopped in this state at this receive point?
	 * Asked for own states only.
	 */
	bool (*state_is_reached)(uint32_t state);
	/* Requests that stay open across receive points: request-free means 0. NULL: always 0. */
	uint32_t (*n_requests_open)(void);
	/* The state has come over: is it sane? On error the update is rolled back;
	 * sef_check_failed() says why. Uncommitted. */
	err_t (*state_check)(void);
	/* The update is committed; the first thing that may touch devices or send. Not called after
	 * a fresh start. */
	void (*after_commit)(void);
	/* An update was prepared and did not happen (SEF_RESUME_*); the service goes on. */
	void (*resumed)(uint64_t reason);
	/* SEF_SIGNAL_TERMINATE: NULL exits. */
	void (*signal)(uint32_t signal);
};

/* Start the service: returns once it may receive. */
void sef_startup(const struct sef_callbacks *callbacks);

/*
 * Wait for a message that is the service's own business (requests,
 * notifications; never RS's own).
 */
void sef_receive(struct message *ret_msg);

/* Answer msg->source of the last request with *msg, then as sef_receive into it. One kernel call in
 * the common case. */
void sef_reply_receive(struct message *msg);

/* In state_check: name the element and the reason, printf-like; returns E_CHECK. */
err_t sef_check_failed(const char *element, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* What the start page says. Valid for the life of the instance. */
const struct start_info *sef_start(void);

/* Endpoint of a service by name; EP_NONE: it does not run. Endpoints survive restarts and updates,
 * so they may be kept. */
endpoint_t sef_lookup(const char *name);

/* One line to the kernel's log, which marks it with the service's name; at most 256 bytes. */
void sef_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Our own bug: report the text to RS and end. */
_Noreturn void sef_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Value of a "key=value" word in the start arguments, copied and NUL terminated. False: no such
 * word or it is too long. */
bool sef_argument(const char *key, char *ret_value, size_t size);
