#pragma once
/* What RS and the service event framework (osd/lib/sef) say to each other. */
#include "osd/abi/message.h"

/* RS -> service, asynchronously. */
#define SEF_PREPARE (SEF_BASE + 1) /* struct sef_prepare */
#define SEF_CANCEL (SEF_BASE + 2)  /* w[0] = transaction: stop draining towards a state */
#define SEF_PING (SEF_BASE + 3)    /* answered by asend of SEF_PONG with the same w[0] */
#define SEF_PONG (SEF_BASE + 4)
#define SEF_SIGNAL (SEF_BASE + 5) /* w[0] = SEF_SIGNAL_* */
/* service -> RS, asynchronously: the state cannot be reached. w[0] = transaction, w[1] = err_t,
 * w[2] = state */
#define SEF_PREPARE_REFUSED (SEF_BASE + 6)

#define SEF_SIGNAL_TERMINATE 1

/* Quiescent states; from QS_CUSTOM on a service has its own. */
enum quiescent {
#define QUIESCENT(name, number, ...) QS_##name = number,
#include "proto/words/quiescent.def"
#undef QUIESCENT
	QS_PREPARE_CRASH = 6, /* test builds of a service only: crashes while preparing */
	QS_CUSTOM = 16,
};
struct sef_prepare {
	uint64_t transaction;
	uint32_t state, prepare_only;
};

/* Codes of the kernel call report(). */
enum {
	/*
	 * The old instance stands at its receive point. a = transaction, b = state.
	 * Resumed with a SEF_RESUME_*.
	 */
	SEF_REPORT_PREPARED = 1,
	/* New instance has paired the descriptions and may be switched in. Resumed with
	   SEF_RESUME_GO. a, b = bytes and objects expected. */
	SEF_REPORT_READY = 2,
	/* New instance holds the state and has checked it. a = address of struct
	   sef_transfer_result. Resumed with SEF_RESUME_COMMITTED. */
	SEF_REPORT_TRANSFERRED = 3,
	/* New instance gives up. a = address of struct sef_transfer_result. Not resumed. */
	SEF_REPORT_FAILED = 4,
	/* Fresh or restarted instance has initialised itself. Resumed with SEF_RESUME_GO. */
	SEF_REPORT_STARTED = 5,
	/*
	 * Assertion failure or panic in a service: a = address of text, b = its length.
	 * Not resumed.
	 */
	SEF_REPORT_PANIC = 6,
};
enum {
	SEF_RESUME_GO = 1,
	SEF_RESUME_COMMITTED = 2,
	SEF_RESUME_ROLLED_BACK = 3,  /* the update did not happen; go on as before */
	SEF_RESUME_PREPARE_ONLY = 4, /* it was only a question; go on */
	SEF_RESUME_RETRY = 5,        /* another component refused; go on, you will be asked again */
};

#define SEF_TEXT_LEN 200
/* Result of a transfer, in the new instance's memory, read by RS with the copy call. */
struct sef_transfer_result {
	err_t err;
	uint64_t bytes, objects, pointers;
	uint64_t pair_nsec, transfer_nsec, check_nsec;
	uint32_t n_removed, n_strings_copied;
	char element[SEF_TEXT_LEN]; /* what failed: variable, member path, value */
	char message[SEF_TEXT_LEN];
	char removed[SEF_TEXT_LEN]; /* names, comma separated */
};
