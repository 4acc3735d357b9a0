#pragma once
/* Kernel call numbers (calls.def) and the structures that calls take by address. */
#include "osd/abi/types.h"

#define KCALL_BASE 0x1000u

enum kcall {
#define KCALL(number, name, ...) KCALL_##name = number,
#include "calls.def"
#undef KCALL
};
/* How many there are; their numbers have no gaps. */
enum {
#define KCALL(...) +1
	KCALL_N = 0
#include "calls.def"
#undef KCALL
};

/*
 * Those that a process has for being one, rights ALL and UNCOMMITTED; bit n: call KCALL_BASE + n. Its
 * supervisor may give it fewer.
 */
static inline uint64_t kcalls_ordinary(void)
{
	enum { RIGHTS_ALL, RIGHTS_UNCOMMITTED, RIGHTS_MASK };

	return 0
#define KCALL(number, name, kind, arguments, rights, ...)                                          \
	| (RIGHTS_##rights != RIGHTS_MASK ? UINT64_C(1) << ((number) - KCALL_BASE) : 0)
#include "calls.def"
#undef KCALL
	        ;
}

/* slot_create */
#define SLOT_UNCOMMITTED 1u
#define SLOT_PROGRAM 2u /* of a class, in a slot from N_SERVICE_SLOTS on; else a service */
struct slot_params {
	char name[SERVICE_NAME_LEN];
	space_t space;
	uint32_t flags;        /* SLOT_* */
	uint32_t priority;     /* 0 highest .. 7 lowest */
	uint32_t quantum_usec; /* 0: the kernel's default */
	uint32_t ipc_class;    /* of a program: below N_CLASSES; of a service: 0 */
};

/* Above a slot that supervises others; RS is not counted. */
#define SUPERVISORS_MAX 15u

#define PRIV_IO_MAX 8
#define PRIV_MMIO_MAX 4
#define PRIV_IRQ_MAX 8
/* domain_set */
struct domain_privileges {
	uint64_t calls[1]; /* bit n: call KCALL_BASE + n, ordinary ones (kcalls_ordinary) too */
	uint64_t ipc_to[N_SERVICE_SLOTS / 64]; /* bit n: may send to slot n, a service */
	uint64_t ipc_classes;                  /* bit n: may send to programs of class n */
	uint32_t rank;                         /* higher is called by lower */
	/* At a time: that those who run in the domain supervise, and that those do, and so on; one counts
	 * for each that is above it. */
	uint32_t n_slots;
	uint8_t n_io, n_mmio, n_irq, pad;
	struct {
		uint16_t first, last;
	} io[PRIV_IO_MAX];
	struct {
		uint64_t base, bytes;
	} mmio[PRIV_MMIO_MAX];
	uint8_t irq[PRIV_IRQ_MAX];
};

/* slot_swap */
#define SWAP_HOLD 1u
#define SWAP_FRESH 2u

/* copy */
#define COPY_FORCE 1u

/* slot_info.state: where the instance behind the slot is. */
enum slot_state {
	SLOT_NEW,
	SLOT_RUNNABLE,
	SLOT_SENDING,
	SLOT_RECEIVING,
	SLOT_WAITING_REPLY,
	SLOT_FAULTED,
	SLOT_REPORTED,
	SLOT_STOPPED,
	SLOT_EXITED,
	SLOT_PARKED,
	SLOT_STATE_N
};
struct slot_info {
	endpoint_t endpoint;
	space_t space;
	char name[SERVICE_NAME_LEN];
	uint32_t state; /* enum slot_state */
	uint8_t is_uncommitted, is_held, is_stopped;
	uint8_t has_devices;         /* what runs there may map device registers */
	uint32_t n_senders, n_async; /* waiting on the slot now */
	uint32_t n_vm_faults;      /* faults of the instance between swap and commit that would have
	                              needed VM */
	uint32_t n_ipc_masked;     /* sends refused by the target mask */
	nsec_t first_receive_nsec; /* first receive after slot_commit; 0: not yet */
	nsec_t commit_nsec;
	nsec_t cpu_nsec;
};

/* personality_set, slot_foreign */
#define N_PERSONALITIES 4u
#define PERSONALITY_ROUTES_MAX 512u

/* slot_registers, slot_registers_set: of x86-64. */
struct slot_registers {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags, fsbase, gsbase;
};
/* slot_fpu never has more to write. */
#define SLOT_FPU_BYTES_MAX 2944u

#define ASEND_MAX 44u /* asynchronous messages that wait at a slot */

/* event_next */
enum slot_event_kind { SLOT_EVENT_FAULT = 1, SLOT_EVENT_EXIT, SLOT_EVENT_REPORT, SLOT_EVENT_ABUSE };
enum fault_reason {
	FAULT_PAGE = 1,
	FAULT_PAGE_UNCOMMITTED,
	FAULT_ILLEGAL,
	FAULT_PROTECTION,
	FAULT_DIVIDE,
	FAULT_FPU,
	FAULT_DEBUG,
	FAULT_FOREIGN_CALL, /* a number that is not native */
	FAULT_STRAY_CALL,   /* a system call from elsewhere than the gate page */
	FAULT_OTHER,
	FAULT_FOREIGN_UNANSWERED /* a foreign thread's; address: its number; vector: why, an error */
};
struct slot_event {
	endpoint_t endpoint;
	uint32_t kind;
	nsec_t at; /* when it happened */
	/* FAULT: reason, address, instruction pointer, vector; EXIT: code; REPORT: code, a, b, c,
	 * d; ABUSE: call number, value */
	uint64_t w[5];
};

/* space_batch */
enum space_op_kind {
	SPACE_MAP = 1, /* arg: first frame's physical address, contiguous */
	SPACE_UNMAP,
	SPACE_PROTECT,
	SPACE_MIRROR, /* arg: source space; va and n_pages in whole 2 MiB; last-level tables shared
	                 read-only, not executable */
	SPACE_UNMIRROR,
	SPACE_ZERO_ABSENT, /* absent pages of the range become the shared zero frame, read-only */
	SPACE_GATE,        /* map the gate page, read and execute, at va */
};
#define SPACE_OP_PAGES_MAX (1u << 18) /* of one operation: 1 GiB */
/* Of one that takes away, or protects what is there: it passes over what has no page table. 1 TiB. */
#define SPACE_OP_NOTHING_MAX (1u << 28)
#define SPACE_OP_ZERO 0x100u /* with MAP, in prot: clear the frames first */
#define SPACE_OP_DEVICE                                                                            \
	0x200u /* with MAP, in prot: uncached; the space's domain needs the MMIO right */
struct space_op {
	uint32_t kind;
	space_t space;
	vaddr_t va;
	uint64_t arg;
	uint32_t n_pages;
	uint32_t prot; /* PROT_* | SPACE_OP_* */
};
struct space_batch {
	const struct space_op *ops;
	uint32_t n_ops;
	uint32_t n_done;       /* written by the kernel */
	const paddr_t *tables; /* frames that may become page tables; taken from the front */
	uint32_t n_tables;
	uint32_t n_tables_used; /* written by the kernel */
	uint32_t n_spare; /* written by the kernel: what space_trim would give back of the space
	                           of the last operation done */
	uint32_t pad;
};

/*
 * frame_list: what the kernel has of a space, or, with FRAME_LIST_SPACES for a number, the spaces.
 * What a table's mirrors and a grant to a device pin is the table, or the page, that is listed with
 * them: nothing else here keeps a frame.
 */
#define FRAME_LIST_SPACES UINT32_MAX
enum frame_kind {
	FRAME_LIST_SPACE = 1, /* space, owner; pa: its root; n: its tables, the root too */
	FRAME_LIST_TABLE, /* va: where it begins; n: mirrors that pin it, of a root all of the space's */
	FRAME_LIST_PAGES,  /* a run of n frames from pa on, mapped from va on */
	FRAME_LIST_DEVICE, /* the same, without RAM behind it */
	FRAME_LIST_ZERO,   /* n pages from va on that show the zero frame */
	FRAME_LIST_GATE,
	FRAME_LIST_MIRROR, /* va: a table of another space, whose frame is pa */
	FRAME_LIST_SPARE,  /* n frames that space_trim would give back */
	FRAME_LIST_FPU,    /* what space_fpu gave */
	FRAME_LIST_OBJECT, /* what space_create gave for the space; n: with those of space_thread */
	FRAME_LIST_DOMAIN  /* what domain_create gave for its domain; n: spaces that have that */
};
struct frame_entry {
	union {
		vaddr_t va;
		struct { /* of a space */
			space_t space;
			endpoint_t owner; /* who may make slots over it; EP_NONE: nobody */
		};
	};
	paddr_t pa;
	uint32_t n;
	uint8_t kind, prot, level,
	        pad; /* enum frame_kind; PROT_*; of a table, 0 for one of pages */
};
#define FRAME_LIST_MIN 9u  /* entries that there must be room for */
#define FRAME_LIST_MAX 64u /* written by one call */

#define PAGE_FAULT_PRESENT 1u
#define PAGE_FAULT_WRITE 2u
#define PAGE_FAULT_EXEC 4u
struct page_fault {
	endpoint_t endpoint;
	space_t space;
	vaddr_t address;
	uint32_t flags; /* PAGE_FAULT_* */
	uint32_t pad;
};

#define KERNEL_BUILD_ID_BYTES 20
struct kernel_info {
	char version[20]; /* ends with a 0 */
	uint8_t build_id[KERNEL_BUILD_ID_BYTES];
};

struct kernel_stats {
	uint32_t n_slots_free, n_spaces_free;
	uint32_t n_irq_hooks_free, n_cpus;
	uint64_t n_uncommitted_faults; /* all since boot */
	uint64_t n_context_switches, n_ipc_fast, n_ipc_slow;
	uint64_t kernel_bytes; /* memory the kernel itself occupies */
	uint64_t slot_bytes;   /* of it, for a slot and what runs behind it */
};
