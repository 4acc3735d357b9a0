/*
 * Making and ending instances. Everything but the image itself lies where a random draw puts it,
 * away from the image's window and, for a successor, from every region of its predecessor, so that
 * the predecessor's memory can be shown to it at its own addresses.
 *
 *	image       where its layout was drawn for: the addresses are linked in
 *	stack       drawn; its pointer starts at a random distance from the end, too
 *	heap        drawn; the whole limit is reserved, backed as it is touched
 *	start page  drawn; read-only, tells the program where everything else is
 *	gate page   drawn; the only place from which the kernel takes calls
 *	scratch     START_UPDATE: memory for pairing the descriptions
 *	shares      START_UPDATE: the descriptions and the addresses of both sides
 *
 * A successor gets all it may touch before the commit backed at once (image, stack, start of the
 * heap, scratch): from the switch on no page fault of it may need VM. Running out is a fault that
 * RS takes for a lack of arena, and one more try with a larger one.
 *
 * The start page is put together in one static page while the space is made, and copied in last.
 * One is enough: instances are made one after the other.
 */
#include "osd/servers/rs/life/instance.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/memory/memory.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/memory/span.h"
#include "proto/image/place.h"

/* Draws of SPAN_TRIES places each; a space is so empty that the first one nearly always fits. */
#define INSTANCE_DRAWS 16
#define INSTANCE_STACK_MIN (4 * PAGE_SIZE)
/* The stack pointer is a multiple of this at the entry, as the ABI of x86-64 asks. */
#define INSTANCE_STACK_ALIGN PLACE_STACK_ALIGN
/*
 * Random distance of the first stack pointer from the end of the stack, in steps of the alignment.
 */
#define INSTANCE_STACK_STEPS (PLACE_STACK_SPREAD / INSTANCE_STACK_ALIGN)
#define INSTANCE_START_VERSION 1
/* What the pairing of two descriptions may take for each of their entries, and besides. */
#define INSTANCE_SCRATCH_ENTRY 64
#define INSTANCE_SCRATCH_BASE (UINT64_C(128) << 10)

enum instance_share { SHARE_OLD_STATE, SHARE_NEW_STATE, SHARE_OLD_SYMBOLS, SHARE_NEW_SYMBOLS };

static struct span_set instance_taken;
static struct start_info instance_page;

static uint64_t instance_round(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/* What no draw may hit: the image's window, and all that the predecessor has. */
static err_t instance_spans_take(const struct instance_plan *plan)
{
	const struct image_header *image = plan->binary->image.header;
	err_t err;

	span_set_init(&instance_taken);
	err = span_set_add(&instance_taken, image->base, image->window_len);
	for (uint32_t i = 0; err == E_OK && i < plan->n_old_regions; i++) {
		err = span_set_add(
		        &instance_taken, plan->old_regions[i].va, plan->old_regions[i].bytes);
	}
	return err;
}

/* A free place for so many bytes, which is taken from then on. */
static err_t instance_draw(uint64_t bytes, vaddr_t *ret_va)
{
	uint64_t random[SPAN_TRIES];
	err_t err = E_AGAIN;

	for (uint32_t n = 0; err == E_AGAIN && n < INSTANCE_DRAWS; n++) {
		for (uint32_t i = 0; i < SPAN_TRIES; i++) {
			random[i] = sys_random();
		}
		err = span_set_draw(&instance_taken, bytes, random, ret_va);
	}
	return err;
}

/* Draw a place and map it. */
static err_t instance_region(
        space_t space, uint64_t bytes, uint32_t prot, uint64_t backed, vaddr_t *ret_va)
{
	err_t err = instance_draw(bytes, ret_va);

	return err == E_OK ? memory_map(space, *ret_va, bytes, prot, backed) : err;
}

/*
 * Backed at once for every kind of start: the image is there before the instance runs. What RS
 * linked itself is handed over; other payloads are copied in later.
 */
static err_t instance_map_image(struct binary *binary, space_t space)
{
	const struct image_view *image = &binary->image;
	err_t err = E_OK;

	if (binary_is_machine_made(binary)) {
		return layout_give(&binary->layout, space);
	}

	for (uint32_t i = 0; err == E_OK && i < image->header->n_segments; i++) {
		const struct image_segment *segment = &image->segments[i];

		err = memory_map(
		        space, segment->vaddr, segment->mem_size, segment->prot, segment->mem_size);
	}
	return err;
}

static err_t instance_map_stack(const struct instance_plan *plan, struct instance *instance)
{
	uint64_t bytes = instance_round(plan->binary->kit.stack_size);
	vaddr_t low;
	err_t err;

	bytes = bytes < INSTANCE_STACK_MIN ? INSTANCE_STACK_MIN : bytes;
	err = instance_region(instance->space, bytes, PROT_R | PROT_W,
	        plan->kind == START_UPDATE ? bytes : 0, &low);
	instance->stack_low = instance_page.stack_low = low;
	instance_page.stack_high = low + bytes;
	instance->stack_pointer =
	        low + bytes - (sys_random() % INSTANCE_STACK_STEPS + 1) * INSTANCE_STACK_ALIGN;
	return err;
}

/*
 * A successor may use only what is backed until its commit; any other instance is told that the
 * whole heap is usable, since VM backs what it touches.
 */
static err_t instance_map_heap(const struct instance_plan *plan, struct instance *instance)
{
	bool is_update = plan->kind == START_UPDATE;
	uint64_t backed = 0;
	err_t err;

	instance->heap_limit = instance_round(plan->binary->kit.heap_limit);
	if (instance->heap_limit == 0) {
		return E_OK;
	}
	if (is_update) {
		backed = instance_round(plan->heap_backed);
		backed = backed > instance->heap_limit ? instance->heap_limit : backed;
	}
	err = instance_region(
	        instance->space, instance->heap_limit, PROT_R | PROT_W, backed, &instance->heap);
	instance_page.heap_base = instance->heap;
	instance_page.heap_limit = instance->heap_limit;
	instance_page.heap_populated = is_update ? backed : instance->heap_limit;
	return err;
}

/* What every instance has besides its image. */
static err_t instance_map_own(const struct instance_plan *plan, struct instance *instance)
{
	err_t err = instance_map_stack(plan, instance);

	if (err == E_OK) {
		err = instance_map_heap(plan, instance);
	}
	if (err == E_OK) {
		err = instance_region(
		        instance->space, PAGE_SIZE, PROT_R, PAGE_SIZE, &instance->start_page);
	}
	if (err == E_OK) {
		err = instance_draw(PAGE_SIZE, &instance_page.gate);
	}
	return err == E_OK ? memory_gate(instance->space, instance_page.gate) : err;
}

/*
 * Show [bytes, bytes + n) of RS to the instance; *ret_va is where they appear. Pages are shared
 * whole: what lies beside the bytes in RS is shown as well, which is why blobs own whole pages.
 */
static err_t instance_share(struct instance *instance, enum instance_share share, const void *bytes,
        uint64_t n, vaddr_t *ret_va)
{
	vaddr_t from = (vaddr_t)bytes & ~(PAGE_SIZE - 1);
	uint64_t offset = (vaddr_t)bytes - from;
	uint64_t length = instance_round(offset + n);
	vaddr_t va;
	err_t err = instance_draw(length, &va);

	if (err == E_OK) {
		err = memory_share((const void *)from, instance->space, va, length);
	}
	if (err == E_OK) {
		instance->shares[share].base = va;
		instance->shares[share].bytes = length;
		*ret_va = va + offset;
	}
	return err;
}

/* The addresses that the symbols of one side have in its layout. */
static err_t instance_share_symbols(struct instance *instance, const struct binary *binary,
        enum instance_share share, struct start_description *side)
{
	side->n_addresses = binary->image.header->n_symbols;
	return instance_share(
	        instance, share, binary->image.symbols, side->n_addresses * 8, &side->addresses);
}

static err_t instance_share_description(struct instance *instance, const struct binary *binary,
        enum instance_share share, struct start_description *side)
{
	side->bytes = binary->description_bytes;
	return instance_share(instance, share, binary->description, binary->description_bytes,
	        &side->description);
}

/*
 * Both sides of an update. A release that follows itself is shown its description once: by the one
 * address the engine knows that every entry is its own partner.
 */
static err_t instance_share_sides(const struct instance_plan *plan, struct instance *instance)
{
	struct start_description *old = &instance_page.old_state, *new = &instance_page.new_state;
	bool is_same = plan->binary->description == plan->old_binary->description;
	err_t err = instance_share_description(instance, plan->old_binary, SHARE_OLD_STATE, old);

	if (err == E_OK && is_same) {
		*new = *old;
	} else if (err == E_OK) {
		err = instance_share_description(instance, plan->binary, SHARE_NEW_STATE, new);
	}
	if (err == E_OK) {
		err = instance_share_symbols(instance, plan->old_binary, SHARE_OLD_SYMBOLS, old);
	}
	if (err == E_OK) {
		err = instance_share_symbols(instance, plan->binary, SHARE_NEW_SYMBOLS, new);
	}
	return err;
}

/*
 * What a successor needs until its commit: both descriptions, both
 * address vectors, scratch memory.
 */
static err_t instance_map_transfer(const struct instance_plan *plan, struct instance *instance)
{
	uint64_t n_symbols = (uint64_t)plan->binary->image.header->n_symbols +
	                     plan->old_binary->image.header->n_symbols;
	uint64_t bytes = instance_round(
	        INSTANCE_SCRATCH_BASE + n_symbols * INSTANCE_SCRATCH_ENTRY + plan->heap_backed);
	err_t err;

	err = instance_region(
	        instance->space, bytes, PROT_R | PROT_W, bytes, &instance->scratch.base);
	if (err != E_OK) {
		return err;
	}
	instance->scratch.bytes = bytes;
	instance_page.scratch = instance->scratch.base;
	instance_page.scratch_bytes = bytes;
	instance_page.old_heap_base = plan->old->heap;
	instance_page.old_heap_bytes = plan->old->heap_limit;
	return instance_share_sides(plan, instance);
}

/*
 * The endpoints that the kit may send to, by name, so that a service finds them without asking
 * anybody. A target that does not run yet has EP_NONE; `*` stands for every service. Clients have
 * no names here: they are known by what they send.
 */
static void instance_names(const struct kit_manifest *kit)
{
	bool is_all = kit->n_targets == 1 && strcmp(kit->targets[0], KIT_TARGET_ALL) == 0;
	struct service *service;
	uint32_t n = 0;

	for (uint32_t i = 0; is_all && n < START_NAMES_MAX; i++) {
		service = service_at(i);
		if (service == NULL) {
			break;
		}
		memcpy(instance_page.names[n].name, service->name, SERVICE_NAME_LEN);
		instance_page.names[n++].endpoint = service->endpoint;
	}
	for (uint32_t i = 0; !is_all && i < kit->n_targets; i++) {
		if (strcmp(kit->targets[i], KIT_TARGET_CLIENTS) == 0) {
			continue;
		}
		service = service_find(kit->targets[i]);
		memcpy(instance_page.names[n].name, kit->targets[i], SERVICE_NAME_LEN);
		instance_page.names[n++].endpoint = service == NULL ? EP_NONE : service->endpoint;
	}
	instance_page.n_names = n;
}

/* The fields of the start page that do not depend on where things were mapped. */
static void instance_page_begin(const struct instance_plan *plan)
{
	memset(&instance_page, 0, sizeof(instance_page));
	instance_page.magic = START_MAGIC;
	instance_page.version = INSTANCE_START_VERSION;
	instance_page.size = sizeof(instance_page);
	instance_page.kind = plan->kind;
	instance_page.self = plan->self;
	instance_page.supervisor = EP_RS;
	instance_page.asked_state = plan->asked_state;
	instance_page.flags = plan->accepts_loss ? START_ACCEPT_LOSS : 0;
	memcpy(instance_page.name, plan->binary->kit.service, SERVICE_NAME_LEN);
	instance_page.tsc_khz = machine.start->tsc_khz;
	for (uint32_t i = 0; i < sizeof(instance_page.random) / 8; i++) {
		uint64_t bits = sys_random();

		memcpy(instance_page.random + 8 * i, &bits, 8);
	}
	instance_names(&plan->binary->kit);
	memcpy(instance_page.arguments, machine.boot.header->cmdline,
	        sizeof(instance_page.arguments));
}

/* A slot for the space. START_FRESH keeps it for good, so only now its endpoint is known. */
static err_t instance_open_slot(const struct instance_plan *plan, struct instance *instance)
{
	const struct kit_manifest *kit = &plan->binary->kit;
	struct slot_params params = {
	        .space = instance->space,
	        .flags = plan->kind == START_FRESH ? 0 : SLOT_UNCOMMITTED,
	        .priority = kit->priority,
	        .quantum_usec = kit->quantum_usec,
	};
	err_t err;

	memcpy(params.name, kit->service, SERVICE_NAME_LEN);
	err = sys_slot_create(&params);
	if (err < 0) {
		return err;
	}
	instance->slot = (endpoint_t)err;
	if (plan->kind == START_FRESH) {
		instance_page.self = instance->slot;
	}
	return E_OK;
}

/* Copy the start page in, and the image unless it is there. */
static err_t instance_load(const struct instance_plan *plan, struct instance *instance)
{
	const struct image_view *image = &plan->binary->image;
	bool is_there = binary_is_machine_made(plan->binary);
	err_t err = E_OK;

	for (uint32_t i = 0; err == E_OK && !is_there && i < image->header->n_segments; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (segment->file_size > 0) {
			err = sys_copy(EP_SELF, (vaddr_t)image_segment_bytes(image, i),
			        instance->slot, segment->vaddr, segment->file_size, COPY_FORCE);
		}
	}
	if (err == E_OK) {
		err = sys_copy(EP_SELF, (vaddr_t)&instance_page, instance->slot,
		        instance->start_page, sizeof(instance_page), COPY_FORCE);
	}
	return err;
}

/* Everything after the address space exists; what was made is in *instance also when it fails. */
static err_t instance_fill(const struct instance_plan *plan, struct instance *instance)
{
	err_t err = instance_map_image(plan->binary, instance->space);

	if (err == E_OK) {
		err = instance_map_own(plan, instance);
	}
	if (err == E_OK && plan->kind == START_UPDATE) {
		err = instance_map_transfer(plan, instance);
	}
	if (err == E_OK) {
		err = instance_open_slot(plan, instance);
	}
	return err == E_OK ? instance_load(plan, instance) : err;
}

/*
 * Memory first, the slot last but one, the bytes last: copying goes by slot, and a slot that exists
 * has something to run.
 */
err_t instance_create(const struct instance_plan *plan, struct instance *ret_instance)
{
	struct instance instance = {.slot = EP_NONE, .entry = plan->binary->image.header->entry};
	err_t err = instance_spans_take(plan);

	if (err == E_OK) {
		err = memory_space_new(&instance.space);
	}
	if (err != E_OK) {
		return err;
	}
	instance.has_space = true;
	instance.is_shown_secret =
	        plan->kind == START_UPDATE && binary_is_machine_made(plan->old_binary);
	instance_page_begin(plan);
	err = instance_fill(plan, &instance);
	if (err != E_OK) {
		instance_destroy(&instance);
		return err;
	}
	*ret_instance = instance;
	return E_OK;
}

err_t instance_start(const struct instance *instance)
{
	return sys_slot_start(
	        instance->slot, instance->entry, instance->stack_pointer, instance->start_page);
}

void instance_settle(struct instance *instance)
{
	instance->is_shown_secret = false;
	for (uint32_t i = 0; i < sizeof(instance->shares) / sizeof(instance->shares[0]); i++) {
		if (instance->shares[i].bytes > 0) {
			memory_unmap(instance->space, instance->shares[i].base,
			        instance->shares[i].bytes);
			instance->shares[i].bytes = 0;
		}
	}
	if (instance->scratch.bytes > 0) {
		memory_unmap(instance->space, instance->scratch.base, instance->scratch.bytes);
		instance->scratch.bytes = 0;
	}
}

void instance_destroy(struct instance *instance)
{
	if (instance->slot != EP_NONE && sys_slot_destroy(instance->slot) != E_OK) {
		rs_panic("a slot of RS cannot be destroyed");
	}
	instance->slot = EP_NONE;
	if (instance->has_space) {
		memory_space_free(instance->space);
		instance->has_space = false;
	}
}
