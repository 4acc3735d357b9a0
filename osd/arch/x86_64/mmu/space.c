/*
 * User spaces, as far as the machine has a part in them: the kernel's half of a root, translations
 * that the CPU may still hold, and what the gate page consists of. Their tables are
 * osd/kernel/mmu's.
 */
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/x86.h"

#define GONE_PAGES_MAX 32u /* more than that are flushed by reloading cr3 */

/* Of entry.S. */
extern const char gate_page[];

void arch_space_root_init(void *root)
{
	__builtin_memset(root, 0, PAGE_SIZE / 2);
	__builtin_memcpy((char *)root + PAGE_SIZE / 2,
	        (char *)arch_frame_ptr(kmap_root) + PAGE_SIZE / 2, PAGE_SIZE / 2);
}

void arch_gate_write(void *page)
{
	__builtin_memcpy(page, gate_page, PAGE_SIZE);
}

void arch_space_gone(const struct arch_space *space, vaddr_t va, uint64_t n_pages)
{
	paddr_t root = arch_cpu_this()->root;

	if (space != NULL && space->root != root) {
		return;
	}
	if (n_pages > GONE_PAGES_MAX) {
		cr3_write(root);
		return;
	}
	for (uint64_t i = 0; i < n_pages; i++) {
		invlpg(va + i * PAGE_SIZE);
	}
}
