/* Ways to go wrong, each a real one: the processor, the kernel or RS has to notice. */
#include "osd/suites/assist/priv.h"

#include "osd/lib/heap/heap.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/sys.h"
#include "osd/suites/assist/behaviour.h"

static enum assist_crash crash_at_prepare; /* 0: none */

static void crash_stack(volatile uint8_t *above)
{
	volatile uint8_t frame[1024];

	frame[0] = above[0];
	frame[1023] = 1;
	if (above != NULL) { /* always: the stack ends first */
		crash_stack(frame);
	}
	above[0] = frame[1023]; /* keeps the call from becoming a jump */
}

static void crash_jump(void)
{
	static uint8_t code[16] = {0xc3};
	void (*volatile target)(void) = (void (*)(void))(uintptr_t)code;

	target();
}

/* The same of an object of the heap. */
static void crash_object(void)
{
	uint8_t *code = heap_new_n(uint8_t, 16);
	void (*volatile target)(void) = (void (*)(void))(uintptr_t)code;

	if (code != NULL) {
		code[0] = 0xc3;
		target();
	}
}

static void crash_divide(void)
{
	__asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; mov $1, %%eax; div %%ecx"
	        :
	        :
	        : "eax", "ecx", "edx", "cc");
}

/* Linux's getpid, through our own gate page: a native process may not make it. */
static void crash_syscall(void)
{
	(void)sys_call(39, 0);
}

/*
 * The simplest call there is, from an instruction of our own. luforge makes no kit with such an
 * instruction, so this jumps, as an attacker would, into the middle of one that holds the bytes of
 * `syscall; ret`.
 */
static void crash_stray(void)
{
	uint64_t number = KCALL_null;

	__asm__ volatile("call 1f + 1; jmp 2f; 1: movl $0x90c3050f, %%ecx; 2:"
	        : "+a"(number)
	        :
	        : "rcx", "r11", "memory");
}

static void crash_hang(void)
{
	for (;;) {
		__asm__ volatile("" : : : "memory");
	}
}

void crash_now(enum assist_crash how)
{
	volatile uint8_t nothing = 0;

	switch (how) {
	case ASSIST_CRASH_NULL:
		*(volatile uint32_t *)(uintptr_t)nothing = 1;
		break;
	case ASSIST_CRASH_ILLEGAL:
		__asm__ volatile("ud2");
		break;
	case ASSIST_CRASH_JUMP:
		crash_jump();
		break;
	case ASSIST_CRASH_TEXT:
		*(volatile uint8_t *)(uintptr_t)crash_now = 0;
		break;
	case ASSIST_CRASH_OBJECT:
		crash_object();
		break;
	case ASSIST_CRASH_DIVIDE:
		crash_divide();
		break;
	case ASSIST_CRASH_STACK:
		crash_stack(&nothing);
		break;
	case ASSIST_CRASH_SYSCALL:
		crash_syscall();
		break;
	case ASSIST_CRASH_STRAY:
		crash_stray();
		break;
	case ASSIST_CRASH_PANIC:
		sef_panic("asked to panic");
	case ASSIST_CRASH_EXIT:
		sys_exit(3);
	case ASSIST_CRASH_HANG:
		crash_hang();
		break;
	case ASSIST_CRASH_DAMAGE:
		zoo_damage();
		break;
	case ASSIST_CRASH_LATER:
		crash_at_prepare = ASSIST_CRASH_NULL;
		break;
	case ASSIST_CRASH_HANG_LATER:
		crash_at_prepare = ASSIST_CRASH_HANG;
		break;
	case ASSIST_CRASH_N:
		break;
	}
}

err_t crash_prepare(uint32_t state)
{
	if (crash_at_prepare != 0) {
		crash_now(crash_at_prepare);
	}
	return E_OK;
}
