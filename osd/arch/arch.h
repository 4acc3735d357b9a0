#pragma once
/*
 * The only interface between the kernel and a machine. What a register, a port or a page-table bit
 * is, only the directory behind this header knows (`machine.h` there holds the structures that are
 * embedded here and the inlines that the fast paths need).
 *
 * The kernel runs with interrupts off under the big kernel lock, from the entry into it until
 * arch_resume(). User memory is reached only through a table walk (mmu_ptr), never through user
 * mappings.
 */
#include "osd/abi/boot.h"
#include "osd/abi/calls.h"
#include "osd/abi/message.h"
#include "machine.h"

struct instance;

/*
 * The kernel provides these to arch, which calls them under the lock. `self` is the running
 * instance; its context is its first member. All but kcall_dispatch do not return into the
 * interrupted code: they are followed by sched_run(), which leaves the kernel.
 */
_Noreturn void boot_main(void);
/*
 * Where the data of CPU `number` lives; `struct arch_cpu` is its first member. Called before
 * anything else works.
 */
struct arch_cpu *cpu_storage(uint32_t number);
/* The instance made call `number` (any value). Returns when it is to go on at once. */
void kcall_dispatch(struct instance *self, uint64_t number);
/* The instance entered by an instruction that is not its gate page's. */
_Noreturn void kcall_stray(struct instance *self);
/* The space whose tables that of this context's instance mirrors; NULL: none. */
const struct arch_space *context_mirrors(const struct arch_context *ctx);
/* It touched a page; flags: PAGE_FAULT_*. */
void fault_page(struct instance *self, vaddr_t address, uint32_t flags);
/* Any other exception; reason: enum fault_reason. */
void fault_exception(struct instance *self, uint32_t reason, uint64_t address, uint64_t vector);
void clock_interrupt(void);
/* The line fired and is masked now. */
void irq_interrupt(uint32_t line);
_Noreturn void sched_run(void);
void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Contexts: registers of an instance that is not running. `struct arch_context` is in machine.h,
 * and so are:
 *
 * uint64_t *arch_context_args(ctx)               the six arguments of the call it made, in order
 * uint64_t arch_context_number(ctx)              the number of that call, until a result is set
 * void arch_context_result_set(ctx, err_t)       first result
 * void arch_context_result2_set(ctx, uint64_t)   second result ("rdx:" in calls.def)
 * void arch_context_message_get(ctx, message *)  message that it passed to an IPC call
 * void arch_context_message_set(ctx, message *)  message that its IPC call returns
 * void arch_context_restart(ctx)                 make it repeat its call; no result may be set
 * void arch_context_gate_set(ctx, vaddr_t gate)  the page through which alone it may call; 0: none
 */

/* Make a fresh context: run at entry with this stack pointer and first argument. */
void arch_context_start(struct arch_context *ctx, vaddr_t entry, vaddr_t stack, uint64_t argument);
/* Set the thread pointer. Takes effect at once when ctx is the running instance's. */
void arch_context_tls_set(struct arch_context *ctx, vaddr_t base);
vaddr_t arch_context_pc(const struct arch_context *ctx);
/* Print the registers to the kernel log. */
void arch_context_dump(const struct arch_context *ctx);
/*
 * The frame for the context's floating-point and vector registers; 0: none, then their first use is a
 * fault. They begin anew. The context may run, unless it has used a frame that it had before.
 */
void arch_context_fpu_set(struct arch_context *ctx, paddr_t frame);

/*
 * Registers of a context that does not run, for its supervisor. Setting checks all and changes nothing
 * when false; then the context goes on from there, whatever it came in by.
 */
void arch_context_registers_get(const struct arch_context *ctx, struct slot_registers *ret);
bool arch_context_registers_set(struct arch_context *ctx, const struct slot_registers *registers);
/* The same of the FPU: arch_fpu_bytes() bytes. Reading, NULL: it has no memory for them. */
uint32_t arch_fpu_bytes(void);
const void *arch_context_fpu_get(struct arch_context *ctx);
bool arch_context_fpu_load(struct arch_context *ctx, const void *state);

/*
 * Leave the kernel into a context (the start of an instance), releasing the
 * big lock. Does not return.
 */
_Noreturn void arch_resume(struct arch_context *ctx, const struct arch_space *space);
/*
 * Release the lock and wait for an interrupt. Does not return: the
 * interrupt ends in sched_run().
 */
_Noreturn void arch_idle(void);
/*
 * CPUs, 0 .. arch_cpus_count()-1, all of which come into the kernel by sched_run(), under the lock; 0 is
 * the one that boots. `struct arch_cpu` is in machine.h; in it `current` is the context that runs,
 * NULL when the CPU waits for an interrupt or for the lock, to see what there is to do. So are:
 *
 * ARCH_CPUS_MAX
 * uint32_t arch_cpus_count(void)                 never changes
 * struct arch_cpu *arch_cpu_this(void)           of this CPU
 * uint64_t arch_cycles(void)                     a free-running counter, for charging time
 */

/* Another CPU comes into the kernel as soon as it can, and looks what there is to do. */
void arch_cpu_wake(uint32_t number);
/*
 * Another CPU, which runs something, runs it no more when this returns: the context is complete, and
 * nobody's current. What it met on its way into the kernel may have become a fault (fault_exception) now.
 */
void arch_cpu_leave(uint32_t number);
/* All others stand still from now on, wherever they are. For the end of the machine. */
void arch_cpus_halt(void);

/*
 * Address spaces. The machine walks a radix tree of page tables from arch_space.root; the kernel
 * builds and reads it (osd/kernel/mmu). An entry is 64 bits and 0 when it is absent; what else it
 * says, only these inlines of machine.h know:
 *
 * PTE_N                                          entries of a table; ... of a root below user memory's
 * PTE_N_USER                                     end, which are the first of it
 * PTE_LEVEL_ROOT, PTE_LEVEL_DIRECTORY (1), PTE_LEVEL_PAGE (0)
 * uint32_t pte_shift(level)                      lowest bit of an address that chooses an entry
 * uint32_t pte_index(va, level)
 * paddr_t pte_frame(entry)                       of a page or table
 * uint64_t pte_of_frame(pa)                       what it is in an entry; a sum of frames is one of these
 * bool pte_frame_is_valid(pa, n_pages)           could an entry name these frames?
 *
 * uint64_t pte_page(pa, prot)                    prot: PROT_* and SPACE_OP_DEVICE
 * uint64_t pte_page_protect(page, prot)
 * uint32_t pte_page_prot(page)                   PROT_*
 * bool pte_page_is_writable(page), pte_page_is_device(page)
 * uint64_t pte_page_zero(pa)                     read-only, and known as such:
 * bool pte_is_zero(entry)                        pte_page_zero or pte_table_zero
 *
 * uint64_t pte_table(pa)                         of a table that is the space's own
 * uint64_t pte_table_mirror(table)               the same, of another space: not writable, not executable
 * uint64_t pte_table_zero(pa)                    of one that many spaces have; not writable
 * bool pte_table_is_own(table), pte_table_is_mirror(table)
 *
 * void *arch_frame_ptr(paddr_t pa)               direct-map address of a frame of RAM
 *
 * What each frame is used for is in osd/arch/frame.h.
 */

/* Fill a root frame: nothing in user memory, the kernel's half. */
void arch_space_root_init(void *root);
/* Fill the page through which services call. */
void arch_gate_write(void *page);
/*
 * Translations of n pages from va on are gone or are others now, and tables above them may be: no
 * CPU uses the old ones when this returns. The second is for a table that spaces mirror: of these,
 * too.
 */
void arch_space_gone(const struct arch_space *space, vaddr_t va, uint64_t n_pages);
void arch_space_gone_mirrored(const struct arch_space *space, vaddr_t va, uint64_t n_pages);

/* Clock and timer. Nanoseconds since boot, never backwards. */
nsec_t arch_clock(void);
uint64_t arch_clock_khz(void);
/* A difference of arch_cycles() values (machine.h) as time. */
nsec_t arch_cycles_nsec(uint64_t cycles);
/*
 * Interrupt this CPU at a time (at once if past); clock_interrupt() is
 * called. UINT64_MAX: never.
 */
void arch_timer_set(nsec_t at);

/* Interrupt lines, 0 .. arch_irq_lines()-1, all masked at boot; irq_interrupt(line) is called with
 * the line masked. */
uint32_t arch_irq_lines(void);
void arch_irq_unmask(uint32_t line);
void arch_irq_mask(uint32_t line);

/* I/O ports; width 1, 2 or 4. */
uint32_t arch_port_in(uint16_t port, uint32_t width);
void arch_port_out(uint16_t port, uint32_t width, uint32_t value);

/* Debug console. */
void arch_log_write(const char *text, size_t n);
/* Collect entropy from the machine. Return the number of words filled, up to n. */
size_t arch_entropy(uint64_t *words, size_t n);
/* Switch the machine off; under QEMU with this exit code for isa-debug-exit. */
_Noreturn void arch_off(uint32_t code);

/*
 * Boot. arch calls boot_main() with the memory map taken in. Frames handed out by arch_boot_frames
 * are the kernel's for ever (n contiguous, zeroed); arch_boot_finish closes that, makes the rest of
 * RAM and the boot image user memory, and fills in the ranges of the boot information.
 */
paddr_t arch_boot_frames(uint64_t n);
void arch_boot_image(paddr_t *ret_base, uint64_t *ret_bytes);
void arch_boot_finish(struct boot_info *info);
/* Turn frames of arch_boot_frames into user memory, which may be mapped into spaces. */
void arch_boot_frames_to_user(paddr_t pa, uint64_t n);
/* The KERNEL_BUILD_ID_BYTES that the linker made of the kernel's bytes. */
const uint8_t *arch_kernel_build_id(void);
/* Memory that the kernel itself occupies. */
uint64_t arch_kernel_bytes(void);
