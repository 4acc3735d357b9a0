#pragma once
/*
 * Service code on the host: the gate leads here instead of into the kernel, so that a service's
 * handlers run unchanged on top of the real call layer. The machine around them is hostile: what it
 * answers comes from the bytes of a fuzzer's input, while there are any.
 *
 * The service's files are compiled with -mno-red-zone and with section.h in front: their variables
 * lie in sections of their own and go back to their first values before each input.
 */
#include "osd/lib/sys/sys.h"

/* IPC out of the service: send, sendrec, notify, asend, reply. NULL: replies are taken, the rest is
 * answered with E_OK and a message of hostile words. */
typedef err_t host_ipc(enum kcall number, endpoint_t to, struct message *msg);
/* Other calls, before the hostile answer is made. True: *ret_result is set. The number is what was in
 * the register; a model switches over it as over any number, since it plays a few calls only. */
typedef bool host_call(
        enum kcall number, const uint64_t a[6], uint64_t *ret_second, err_t *ret_result);

/* The next message for the service; called while there is input. */
typedef void host_receive(struct message *ret_msg);

struct host_setup {
	host_ipc *ipc;
	host_call *call;
	host_receive *receive; /* for host_run() */
	const char *name;
	endpoint_t self, supervisor;
	const void *boot_image; /* for RS */
	size_t boot_image_bytes;
};

/* Once, before anything else of the service is called. */
void host_init(const struct host_setup *setup);
/* Back to the first state of all variables and an empty heap; this input from now on. */
void host_begin(const uint8_t *data, size_t size);

/*
 * The service's own main loop, until it receives behind the end of the
 * input or the machine stops.
 */
void host_run(int (*service_main)(void));
_Noreturn void host_end(void);
/* What the service granted under this id; NULL: nothing. */
void *host_grant(uint32_t id, uint64_t *ret_bytes);

/* The next bytes of the input; zeros behind its end. */
bool host_has_bytes(void);
uint8_t host_byte(void);
uint64_t host_word(void);
void host_bytes(void *to, size_t n);
/* A message as anybody might send it: type = base + a small number, most often. */
struct message host_message(
        uint32_t base, uint32_t n_types, const endpoint_t *from, uint32_t n_from);

/* Replies that the service gave since host_begin(), and to whom the last one went. */
uint32_t host_n_replies(void);
