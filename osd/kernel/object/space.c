/*
 * Address spaces, and the memory of threads. Both lie in frames that VM gives and gets back:
 *
 *   frame of a space            frame of one more thread
 *   ┌──────────────┐            ┌──────────────┐
 *   │ struct space │            │ struct thread│
 *   │ struct thread│            │ its frame    │
 *   │ messages     │            │ FPU registers│
 *   └──────────────┘            └──────────────┘
 *
 * A thread's memory stays with the space: when its slot ends, the next one takes it, or VM takes the
 * frame back.
 *
 * A number leads to its space by one load. Numbers that were given back are in a queue in the same table,
 * behind all that were never used, so that one means nobody for long.
 */
#include "osd/kernel/object/space.h"
#include "osd/arch/frame.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/object/domain.h"

struct space_frame {
	struct space space;
	struct thread thread __attribute__((aligned(64)));
	struct message queue[N_ASYNC];
};

struct thread_frame {
	struct thread thread;
	paddr_t frame;
	uint8_t fpu[SLOT_FPU_BYTES_MAX] __attribute__((aligned(64)));
};

_Static_assert(sizeof(struct space_frame) <= PAGE_SIZE, "a space lies in a frame");
_Static_assert(sizeof(struct thread_frame) <= PAGE_SIZE, "and so does a thread");

/* Of each number the space, or IS_FREE and the next one in the queue; NULL: it was never used. */
static uintptr_t numbers[N_SPACES];
static uint32_t n_numbers_used, n_numbers_queued;
static uint32_t number_first, number_last; /* of the queue, unless it is empty */

#define IS_FREE 1u

void spaces_init(void)
{
	mmu_init();
}

struct space *space_of_any(uint64_t id)
{
	return id < N_SPACES && !(numbers[id] & IS_FREE) ? (struct space *)numbers[id] : NULL;
}

struct space *space_of(uint64_t id)
{
	struct space *space = space_of_any(id);

	return space != NULL && !space->is_closing ? space : NULL;
}

const struct arch_space *context_mirrors(const struct arch_context *ctx)
{
	const struct instance *instance = (const struct instance *)(const void *)ctx;
	const struct mmu_space *source = instance->space->mmu.source;

	return source != NULL ? &source->arch : NULL;
}

static void space_number_take(struct space *space)
{
	if (n_numbers_used < N_SPACES) {
		space->id = n_numbers_used++;
	} else {
		space->id = number_first;
		number_first = (uint32_t)(numbers[space->id] >> 1);
		n_numbers_queued--;
	}
	numbers[space->id] = (uintptr_t)space;
}

static void space_number_give(space_t id)
{
	if (n_numbers_queued++ == 0) {
		number_first = id;
	} else {
		numbers[number_last] = (uintptr_t)id << 1 | IS_FREE;
	}
	number_last = id;
	numbers[id] = IS_FREE;
}

static struct space_frame *space_frame(const struct space *space)
{
	return arch_frame_ptr(space->object);
}

err_t space_frame_check(paddr_t frame)
{
	if (frame % PAGE_SIZE != 0) {
		return E_INVAL;
	}
	return frame_use(frame) == FRAME_USER ? E_OK : E_PERM;
}

err_t space_open(paddr_t root, paddr_t object, endpoint_t owner, struct space **ret_space)
{
	struct space_frame *frame;
	struct mmu_space mmu;
	err_t err = object == root ? E_INVAL : space_frame_check(object);

	if (err == E_OK) {
		err = spaces_free_count() == 0 ? E_FULL : mmu_space_init(&mmu, root);
	}
	if (err != E_OK) {
		return err;
	}
	frame_use_set(object, FRAME_OBJECT);
	frame = arch_frame_ptr(object);
	frame->space = (struct space){.mmu = mmu,
	        .object = object,
	        .owner = owner,
	        .domain = &domain_none,
	        .n_frames = 1};
	space_number_take(&frame->space);
	list_init(&frame->space.instances);
	list_init(&frame->space.threads);
	slot_thread_init(&frame->thread);
	list_push(&frame->space.threads, &frame->thread.slot.link);
	*ret_space = &frame->space;
	return E_OK;
}

static struct thread *space_thread_linked(struct list *link)
{
	return list_entry(link, struct thread, slot.link);
}

struct instance *space_instance(const struct space *space)
{
	return list_is_empty(&space->instances)
	               ? NULL
	               : &space_thread_linked(space->instances.next)->instance;
}

bool space_is_shared(const struct space *space)
{
	return space->instances.next->next != &space->instances;
}

void space_gate_set(struct space *space, vaddr_t gate)
{
	struct instance *instance = space_instance(space);

	KASSERT(!space_is_shared(space));
	space->gate = gate;
	if (instance != NULL) {
		arch_context_gate_set(&instance->context, gate);
	}
}

err_t space_fpu_give(struct space *space, paddr_t frame)
{
	err_t err = space_frame_check(frame);

	if (err == E_OK && space->fpu != 0) {
		err = E_BUSY;
	}
	if (err == E_OK) {
		frame_use_set(frame, FRAME_FPU);
		space->fpu = frame;
		arch_context_fpu_set(&space_frame(space)->thread.instance.context, frame);
	}
	return err;
}

paddr_t space_fpu_take(struct space *space)
{
	paddr_t frame = space->fpu;

	if (frame != 0) {
		frame_use_set(frame, FRAME_USER);
		space->fpu = 0;
	}
	return frame;
}

err_t space_thread_give(struct space *space, paddr_t frame)
{
	struct thread_frame *more;
	err_t err = space_frame_check(frame);

	if (err == E_OK) {
		frame_use_set(frame, FRAME_OBJECT);
		more = arch_frame_ptr(frame);
		slot_thread_init(&more->thread);
		more->frame = frame;
		list_push(&space->threads, &more->thread.slot.link);
		space->n_frames++;
	}
	return err;
}

struct thread *space_thread_take(struct space *space)
{
	struct list *link = space->threads.next;

	if (link == &space->threads) {
		return NULL;
	}
	list_remove(link);
	list_push(&space->instances, link);
	return space_thread_linked(link);
}

static bool space_thread_is_own(const struct space *space, const struct thread *thread)
{
	return thread == &space_frame(space)->thread;
}

void space_thread_put(struct space *space, struct thread *thread)
{
	bool is_own = space_thread_is_own(space, thread);

	list_remove(&thread->slot.link);
	list_push(is_own ? space->threads.next : &space->threads, &thread->slot.link);
}

paddr_t space_thread_fpu(const struct space *space, const struct thread *thread)
{
	const struct thread_frame *more = (const struct thread_frame *)thread;

	return space_thread_is_own(space, thread)
	               ? space->fpu
	               : more->frame + offsetof(struct thread_frame, fpu);
}

struct message *space_thread_queue(const struct space *space, const struct thread *thread)
{
	return space_thread_is_own(space, thread) ? space_frame(space)->queue : NULL;
}

bool space_threads_are_spare(const struct space *space)
{
	return !list_is_empty(&space->threads) &&
	       !space_thread_is_own(space, space_thread_linked(space->threads.prev));
}

uint32_t space_threads_trim(struct space *space, paddr_t *frames, uint32_t max)
{
	uint32_t n = 0;

	for (; n < max && space_threads_are_spare(space); n++) {
		struct thread *last = space_thread_linked(space->threads.prev);

		list_remove(&last->slot.link);
		frames[n] = ((struct thread_frame *)last)->frame;
		frame_use_set(frames[n], FRAME_USER);
		space->n_frames--;
	}
	return n;
}

paddr_t space_close(struct space *space)
{
	paddr_t object = space->object;

	KASSERT(list_is_empty(&space->instances) && space->n_frames == 1 && space->fpu == 0);
	KASSERT(space->domain == &domain_none);
	space_number_give(space->id);
	frame_use_set(object, FRAME_USER);
	return object;
}

uint32_t spaces_free_count(void)
{
	return N_SPACES - n_numbers_used + n_numbers_queued;
}
