#pragma once
/*
 * A floor for programs of the kernel suites: they run before any service exists, in place of VM
 * and RS, so they bring their own start code, printing, frames and processes. A bare program in
 * RS's place drives; the one in VM's place (vm.c) hands out frames and answers page faults.
 */
#include "osd/abi/start.h"
#include "osd/lib/sys/call.h"

/* Requests to the bare VM; the reply's w[0] is the result. */
#define BARE_VM_FRAMES 0x7001u /* w[0]: n frames. w[1] of the reply: physical address */
/*
 * w[0]: n, a region of the driver. w[1..5] of the reply: va, pa, bytes,
 * prot, space; E_NOTFOUND: no nth
 */
#define BARE_VM_REGION 0x7002u
#define BARE_VM_DEMAND 0x7003u /* w[0], w[1]: zero-fill faults from address to address */
#define BARE_VM_FAULTS 0x7004u /* w[1], w[2] of the reply: faults resolved, faults refused */
#define BARE_VM_SILENT 0x7005u /* w[0]: 1: faults wait unanswered; 0: they are answered again */

extern const struct start_info *bare_start;

/* The program: called once with the start block in bare_start; its value ends the instance. */
int bare_main(void);

/* One line to the log. Knows %s, %d (int64_t), %u and %x (uint64_t). */
void bare_print(const char *format, ...);
/* Like snprintf with those conversions. */
size_t bare_format(char *out, size_t size, const char *format, ...);

/* Print, and switch the machine off with code 3. */
_Noreturn void bare_die(const char *what, int64_t value);

/* Value of a "key=N" word of the boot image's command line (decimal), or fallback. */
uint64_t bare_option(const char *key, uint64_t fallback);
