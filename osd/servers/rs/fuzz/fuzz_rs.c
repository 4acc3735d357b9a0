/*
 * RS at work on a boot image of real kits. Services send it any words, grant any bytes, and fault,
 * end and report at any time; time jumps. The kernel and VM are models that keep what RS relies on:
 * which slots there are, who runs, and what memory RS has. A panic of RS is a finding.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "osd/abi/rs.h"
#include "osd/abi/sef.h"
#include "osd/abi/vm.h"
#include "osd/lib/sef/test/host.h"

int service_main(void);

#define N_MODEL_SLOTS 24
#define N_MAPPINGS 128

enum model_state { MODEL_FREE, MODEL_NEW, MODEL_RUNS, MODEL_REPORTED, MODEL_ENDED };

/* By slot; what runs behind it goes along with a swap. */
static struct model_slot {
	uint32_t incarnation;
	enum model_state state;
	bool is_stopped;
	bool has_started; /* said so, or did something else first */
} slots[N_MODEL_SLOTS];
static struct {
	void *at;
	size_t n;
} mappings[N_MAPPINGS];
static uint32_t n_spaces, n_events;
static nsec_t now;

static struct model_slot *slot_of(endpoint_t endpoint)
{
	uint32_t n = EP_SLOT(endpoint);

	return n < N_MODEL_SLOTS && slots[n].state != MODEL_FREE &&
	                       endpoint == EP_MAKE((endpoint_t)n, (endpoint_t)slots[n].incarnation)
	               ? &slots[n]
	               : NULL;
}

static err_t slot_create(void)
{
	for (uint32_t n = 2; n < N_MODEL_SLOTS; n++) {
		if (slots[n].state == MODEL_FREE) {
			slots[n].incarnation++;
			slots[n].state = MODEL_NEW;
			slots[n].is_stopped = false;
			slots[n].has_started = false;
			return EP_MAKE((endpoint_t)n, (endpoint_t)slots[n].incarnation);
		}
	}
	return E_FULL;
}

static err_t slot_swap(struct model_slot *a, struct model_slot *b)
{
	struct model_slot was = *a;

	if (!a || !b) {
		return E_DEAD;
	}
	a->state = b->state;
	a->is_stopped = b->is_stopped;
	a->has_started = b->has_started;
	b->state = was.state;
	b->is_stopped = was.is_stopped;
	b->has_started = was.has_started;
	return E_OK;
}

static err_t slot_resume(struct model_slot *slot)
{
	if (!slot) {
		return E_DEAD;
	}
	if (slot->state == MODEL_REPORTED) {
		slot->state = MODEL_RUNS;
	} else if (!slot->is_stopped || slot->state == MODEL_ENDED) {
		return E_STATE;
	}
	slot->is_stopped = false;
	return E_OK;
}

/* A slot whose instance is about to say that it has started; NULL: none. */
static struct model_slot *slot_starting(void)
{
	for (uint32_t n = 2; n < N_MODEL_SLOTS; n++) {
		if (slots[n].state == MODEL_RUNS && !slots[n].is_stopped && !slots[n].has_started) {
			return &slots[n];
		}
	}
	return NULL;
}

/* A service that runs does something that its supervisor hears of. */
static err_t event_next(struct slot_event *ret_event)
{
	struct model_slot *slot = slot_starting();
	uint32_t n = slot ? (uint32_t)(slot - slots) : 2 + host_byte() % (N_MODEL_SLOTS - 2);
	bool is_start = slot && host_byte() % 16 != 15;

	slot = &slots[n];
	if (n_events == 0 || slot->state != MODEL_RUNS || slot->is_stopped) {
		n_events = 0;
		return E_AGAIN;
	}
	n_events--;
	slot->has_started = true;
	*ret_event = (struct slot_event){
	        .endpoint = EP_MAKE((endpoint_t)n, (endpoint_t)slot->incarnation), .at = now};
	if (is_start) {
		ret_event->kind = SLOT_EVENT_REPORT;
		ret_event->w[0] = SEF_REPORT_STARTED;
		slot->state = MODEL_REPORTED;
		return E_OK;
	}
	ret_event->kind = host_byte() % 8;
	ret_event->kind = ret_event->kind < SLOT_EVENT_FAULT || ret_event->kind > SLOT_EVENT_ABUSE
	                          ? SLOT_EVENT_REPORT
	                          : ret_event->kind;
	ret_event->w[0] = host_byte() % 8;
	for (uint32_t i = 1; i < 5; i++) {
		ret_event->w[i] = host_byte();
	}
	slot->state = ret_event->kind == SLOT_EVENT_REPORT ? MODEL_REPORTED : MODEL_ENDED;
	return E_OK;
}

static bool call_slot(enum kcall number, const uint64_t a[6], err_t *ret_result)
{
	struct model_slot *slot = slot_of((endpoint_t)a[0]);
	err_t present = slot ? E_OK : E_DEAD;

	*ret_result = present;
	switch ((uint32_t)number) {
	case KCALL_slot_create:
		*ret_result = slot_create();
		return true;
	case KCALL_slot_start:
		if (slot) {
			slot->state = MODEL_RUNS;
		}
		return true;
	case KCALL_slot_stop:
		if (slot) {
			slot->is_stopped = true;
		}
		return true;
	case KCALL_slot_resume:
		*ret_result = slot_resume(slot);
		return true;
	case KCALL_slot_destroy:
		if (slot) {
			slot->state = MODEL_FREE;
		}
		return true;
	case KCALL_slot_swap:
		*ret_result = slot_swap(slot, slot_of((endpoint_t)a[1]));
		return true;
	case KCALL_slot_commit:
	case KCALL_slot_unhold:
		return true;
	case KCALL_domain_set:
		*ret_result = E_OK;
		return true;
	case KCALL_slot_info:
		memset((void *)a[1], 0, sizeof(struct slot_info));
		((struct slot_info *)a[1])->first_receive_nsec = host_byte() % 2 ? now : 0;
		return true;
	default:
		return false;
	}
}

static bool call(enum kcall number, const uint64_t a[6], uint64_t *ret_second, err_t *ret_result)
{
	if (call_slot(number, a, ret_result)) {
		return true;
	}
	switch ((uint32_t)number) {
	case KCALL_clock_read:
		*ret_result = (err_t)(now += 1000);
		return true;
	case KCALL_event_next:
		*ret_result = event_next((struct slot_event *)a[0]);
		return true;
	case KCALL_kernel_stats:
		memset((void *)a[0], 0, sizeof(struct kernel_stats));
		*ret_result = E_OK;
		return true;
	case KCALL_copy:
		/* Into a new instance: RS's side is what it loads. */
		*ret_result = E_OK;
		return (endpoint_t)a[2] != EP_SELF;
	default:
		return false;
	}
}

/* Memory of RS's own, at the address it drew; where this host has something else there is none. */
static err_t vm_map_own(const struct vm_request_map *asked)
{
	void *at;

	for (uint32_t i = 0; i < N_MAPPINGS; i++) {
		if (mappings[i].at) {
			continue;
		}
		at = mmap((void *)asked->va, asked->bytes, PROT_READ | PROT_WRITE,
		        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
		if (at == MAP_FAILED) {
			return E_NOMEM;
		}
		mappings[i].at = at;
		mappings[i].n = asked->bytes;
		return E_OK;
	}
	return E_NOMEM;
}

static err_t vm_unmap_own(const struct vm_request_map *asked)
{
	for (uint32_t i = 0; i < N_MAPPINGS; i++) {
		if (mappings[i].at == (void *)asked->va && mappings[i].n == asked->bytes) {
			(void)munmap(mappings[i].at, mappings[i].n);
			mappings[i].at = NULL;
			return E_OK;
		}
	}
	(void)fprintf(stderr, "RS gives back what it does not have\n");
	abort();
}

/* The end of a mapping goes to somebody else. */
static err_t vm_give_own(const struct vm_request_give *asked)
{
	if (host_byte() % 16 == 15) {
		return E_NOMEM;
	}
	for (uint32_t i = 0; i < N_MAPPINGS; i++) {
		vaddr_t at = (vaddr_t)mappings[i].at;

		if (at != 0 && at < asked->from_va &&
		        at + mappings[i].n == asked->from_va + asked->bytes) {
			(void)munmap((void *)asked->from_va, asked->bytes);
			mappings[i].n -= asked->bytes;
			return E_OK;
		}
	}
	(void)fprintf(stderr, "RS gives away what it does not have\n");
	abort();
}

static struct vm_reply vm_answer(const struct message *msg)
{
	const struct vm_request_map *map = MSG_AS(const struct vm_request_map, msg);
	const struct vm_request_space *space = MSG_AS(const struct vm_request_space, msg);
	struct vm_reply reply = {0};
	bool is_own = map->space == VM_SPACE_SELF;

	switch (msg->type) {
	case VM_SPACE_NEW:
		reply.space = ++n_spaces;
		break;
	case VM_MAP:
		reply.err = is_own ? vm_map_own(map) : host_byte() % 16 == 15 ? E_NOMEM : E_OK;
		break;
	case VM_UNMAP:
		reply.err = is_own ? vm_unmap_own(map) : E_OK;
		break;
	case VM_GIVE:
		reply.err = vm_give_own(MSG_AS(const struct vm_request_give, msg));
		break;
	case VM_SHARE:
	case VM_MIRROR:
		reply.err = host_byte() % 16 == 15 ? E_NOMEM : E_OK;
		break;
	case VM_REGIONS:
		reply.count = space->max < 2 ? 0 : 2;
		if (reply.count == 2) {
			((struct vm_region *)space->buffer)[0] = (struct vm_region){
			        .va = UINT64_C(0x7f0000000000), .bytes = PAGE_SIZE};
			((struct vm_region *)space->buffer)[1] =
			        (struct vm_region){.va = UINT64_C(0x7e0000000000),
			                .bytes = 64 * PAGE_SIZE,
			                .resident_pages = host_byte() % 64};
		}
		break;
	default:
		break;
	}
	return reply;
}

static err_t ipc(enum kcall number, endpoint_t to, struct message *msg)
{
	if (number == KCALL_sendrec && to == EP_VM) {
		struct vm_reply reply = vm_answer(msg);

		*MSG_AS(struct vm_reply, msg) = reply;
	}
	if (number == KCALL_asend) {
		return slot_of(to) ? host_byte() % 8 == 7 ? E_FULL : E_OK : E_DEAD;
	}
	return E_OK;
}

static void receive(struct message *ret_msg)
{
	endpoint_t from[N_MODEL_SLOTS];
	uint32_t n_from = 0;
	uint8_t how = host_byte();

	for (uint32_t n = 2; n < N_MODEL_SLOTS; n++) {
		if (slots[n].state == MODEL_RUNS && !slots[n].is_stopped) {
			from[n_from++] = EP_MAKE((endpoint_t)n, (endpoint_t)slots[n].incarnation);
		}
	}
	if (slot_starting() || how % 4 == 0) {
		n_events = 1 + how / 4 % 4;
		*ret_msg = (struct message){.type = MSG_NOTIFY, .source = EP_KERNEL};
	} else if (how % 4 == 1 || n_from == 0) {
		now += (nsec_t)host_byte() * (how < 128 ? 1000000 : 100000000);
		*ret_msg = (struct message){.type = MSG_NOTIFY, .source = EP_CLOCK};
	} else if (how == 255) {
		*ret_msg = host_message(SEF_BASE, 8, from, n_from);
	} else {
		*ret_msg = host_message(RS_BASE, RS_REQUEST_N + 6, from, n_from);
	}
}

static void *image_load(size_t *ret_size)
{
	struct stat st;
	void *at;
	int fd = open(BOOT_IMAGE, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0) {
		abort();
	}
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	*ret_size = (size_t)st.st_size;
	return at == MAP_FAILED ? NULL : at;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	size_t size;
	const void *image = image_load(&size);

	/* Last: variables of this file are kept as they are now, too. */
	host_init(&(struct host_setup){.ipc = ipc,
	        .call = call,
	        .receive = receive,
	        .name = "rs",
	        .self = EP_RS,
	        .supervisor = EP_NONE,
	        .boot_image = image,
	        .boot_image_bytes = size});
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	host_begin(data, size);
	host_run(service_main);
	for (uint32_t i = 0; i < N_MAPPINGS; i++) {
		if (mappings[i].at) {
			(void)munmap(mappings[i].at, mappings[i].n);
		}
	}
	return 0;
}
