/*
 * Entry point. Everything here belongs to one instance and is made anew in
 * each: nothing is transferred.
 */
#include "osd/lib/rt/rt.h"

#include <stdio.h>
#include <string.h>

#include "osd/abi/sef.h"
#include "osd/lib/heap/heap.h"
#include "osd/lib/annotate/annotate.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

/* What musl and compiled library code find behind the thread pointer. */
struct rt_thread {
	struct rt_thread *self;
	uint64_t reserved[4];
	uint64_t canary; /* at 0x28, used by library code built with stack protection */
	uint64_t rest[58];
};
_Static_assert(offsetof(struct rt_thread, canary) == 0x28, "the compiler's choice");

static struct rt_thread thread STATE_SKIP;
static const struct start_info *start STATE_SKIP;

int main(void);

const struct start_info *rt_start_info(void)
{
	return start;
}

void rt_panic(const char *text)
{
	(void)sys_report(SEF_REPORT_PANIC, (uintptr_t)text, strlen(text), 0, 0);
	(void)sys_log_write(text, strnlen(text, 256));
	sys_exit(1);
}

/*
 * Reached from the kernel with the start page's address as first
 * argument and any stack alignment.
 */
__attribute__((force_align_arg_pointer, used)) _Noreturn void _start(const struct start_info *info)
{
	bool is_pinned = info->kind == START_UPDATE || info->supervisor == EP_NONE;

	sys_gate = info->gate;
	start = info;
	thread.self = &thread;
	memcpy(&thread.canary, info->random + 24, sizeof(thread.canary));
	(void)sys_thread_pointer_set((uintptr_t)&thread);
	heap_init(info->heap_base, info->heap_limit,
	        is_pinned ? info->heap_populated : info->heap_limit, info->random);
	grant_table_register();
	sys_exit(main());
}
