/* Copies through the direct map, page by page; an absent page goes to fault_copy. */
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/fault/fault.h"
#include "osd/kernel/object/space.h"

#define STEP_BYTES (16 * PAGE_SIZE) /* between looks at the scheduler */

static uint64_t user_smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool user_range_is_valid(vaddr_t va, uint64_t n)
{
	return va <= ARCH_USER_END && n <= ARCH_USER_END - va;
}

/* The byte at va, or the result to return. */
static err_t user_page_at(
        struct instance *self, struct space *space, vaddr_t va, uint32_t access, void **ret)
{
	void *at = mmu_ptr(&space->mmu, va, access);

	if (at == NULL) {
		return fault_copy(
		        self, space, va, access & MMU_ACCESS_WRITE ? PAGE_FAULT_WRITE : 0);
	}
	if (self->copy_fault_asked == va) {
		self->copy_fault_asked = 0;
	}
	*ret = at;
	return E_OK;
}

static uint64_t user_page_rest(vaddr_t va)
{
	return PAGE_SIZE - va % PAGE_SIZE;
}

err_t user_read_from(struct instance *self, struct space *space, vaddr_t va, void *dst, size_t n)
{
	if (!user_range_is_valid(va, n)) {
		return E_FAULT;
	}
	for (size_t done = 0, step; done < n; done += step) {
		void *at;
		err_t err = user_page_at(self, space, va + done, MMU_ACCESS_READ, &at);

		if (err != E_OK) {
			return err;
		}
		step = user_smaller(n - done, user_page_rest(va + done));
		__builtin_memcpy((char *)dst + done, at, step);
	}
	return E_OK;
}

err_t user_read(struct instance *self, vaddr_t va, void *dst, size_t n)
{
	return user_read_from(self, self->space, va, dst, n);
}

/* Every page of the range but the first can be written? */
static err_t user_check_pages(struct instance *self, vaddr_t va, size_t n)
{
	void *at;

	for (size_t done = user_page_rest(va); done < n; done += PAGE_SIZE) {
		err_t err = user_page_at(self, self->space, va + done, MMU_ACCESS_WRITE, &at);
		if (err != E_OK) {
			return err;
		}
	}
	return E_OK;
}

err_t user_write_check(struct instance *self, vaddr_t va, size_t n)
{
	void *at;
	err_t err = user_range_is_valid(va, n) ? user_check_pages(self, va, n) : E_FAULT;

	return err == E_OK ? user_page_at(self, self->space, va, MMU_ACCESS_WRITE, &at) : err;
}

err_t user_write(struct instance *self, vaddr_t va, const void *src, size_t n)
{
	err_t err = user_range_is_valid(va, n) ? user_check_pages(self, va, n) : E_FAULT;

	for (size_t done = 0, step; err == E_OK && done < n; done += step) {
		void *at;

		err = user_page_at(self, self->space, va + done, MMU_ACCESS_WRITE, &at);
		if (err != E_OK) {
			break;
		}
		step = user_smaller(n - done, user_page_rest(va + done));
		__builtin_memcpy(at, (const char *)src + done, step);
	}
	return err;
}

/* One run inside a page of either side. */
static err_t user_copy_run(struct instance *self, const struct user_copy *copy)
{
	uint64_t done = self->call_progress, step = copy->n - done;
	vaddr_t from_va = copy->from_va + done, to_va = copy->to_va + done;
	void *from, *to;
	err_t err = user_page_at(self, copy->from, from_va, MMU_ACCESS_READ, &from);

	if (err != E_OK) {
		return err;
	}
	err = user_page_at(self, copy->to, to_va, copy->access, &to);
	if (err != E_OK) {
		return err;
	}
	step = user_smaller(step, user_page_rest(from_va));
	step = user_smaller(step, user_page_rest(to_va));
	__builtin_memmove(to, from, step);
	self->call_progress = done + step;
	return E_OK;
}

err_t user_copy(struct instance *self, const struct user_copy *copy)
{
	uint64_t start = self->call_progress;

	if (!user_range_is_valid(copy->from_va, copy->n) ||
	        !user_range_is_valid(copy->to_va, copy->n)) {
		self->call_progress = 0;
		return E_FAULT;
	}
	while (self->call_progress < copy->n) {
		err_t err = user_copy_run(self, copy);
		if (err != E_OK) {
			return err;
		}
		if (self->call_progress - start >= STEP_BYTES && self->call_progress < copy->n) {
			arch_context_restart(&self->context);
			return KCALL_PENDING;
		}
	}
	self->call_progress = 0;
	return E_OK;
}
