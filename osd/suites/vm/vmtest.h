#pragma once
/*
 * VM under test: this program is loaded in RS's place, asks VM for everything RS may ask, and
 * drives children that touch memory when told to.
 */
#include "osd/abi/vm.h"
#include "osd/lib/sys/sys.h"

/* End the test run unless the condition holds. */
#define CHECK(condition) vmtest_check((condition), #condition, __FILE_NAME__, __LINE__)
void vmtest_check(bool ok, const char *text, const char *file, int line);

/* Requests to VM; the reply's error. */
err_t ask_space_new(space_t *ret_space);
err_t ask_space(uint32_t type, space_t space, struct vm_reply *ret_reply);
err_t ask_range(uint32_t type, space_t space, vaddr_t va, uint64_t bytes, uint32_t prot);
err_t ask_map(space_t space, vaddr_t va, uint64_t bytes, uint32_t prot, uint64_t populate);
err_t ask_share(vaddr_t from_va, space_t to, vaddr_t to_va, uint64_t bytes);
err_t ask_give(vaddr_t from_va, space_t to, vaddr_t to_va, uint64_t bytes, uint32_t prot);
err_t ask_mirror(uint32_t type, space_t old, space_t new);
err_t ask_regions(space_t space, struct vm_region *ret_regions, uint32_t max, uint32_t *ret_n);
/* Free frames of the machine and those used as page tables. */
uint64_t frames_left(void);

/* Where a child's own pages lie; tests use other addresses. */
#define CHILD_CODE UINT64_C(0x1000200000)
#define CHILD_STACK UINT64_C(0x1000600000)
#define CHILD_GATE UINT64_C(0x1000a00000)

struct child {
	space_t space;
	endpoint_t endpoint;
	vaddr_t code; /* the same layout at another base: mirrors must not overlap */
};
enum child_order { CHILD_WRITE, CHILD_READ };
/* Make a child whose own pages are moved by `shift`. */
void child_new(struct child *child, uint64_t shift);
void child_free(struct child *child);
/*
 * Let it write `value` to, or add up, the first byte of n pages from va on. The sum; or, when it
 * faulted, -1 (and it is stopped for good).
 */
int64_t child_touch(
        struct child *child, enum child_order order, vaddr_t va, uint64_t n, uint8_t value);
/* Let it ask VM. The reply's error; *ret_second is the word behind it. */
err_t child_ask(struct child *child, const struct message *msg, uint64_t *ret_second);
