/*
 * What lies at an address; see where.h.
 *
 * The heap's directory is the instance's own memory, so it may say anything: numbers from it are
 * bounded before they are used, and nothing is read but its entries. A page that makes no sense, or
 * holds no object, is "in its heap". A site that the directory names is told as the piece of the kit
 * that it lies in, as every other address.
 */
#include "osd/servers/rs/life/where.h"

#include "osd/lib/heap/heap_layout.h"
#include "osd/lib/sys/sys.h"

/* A stack that ran over ends in a fault not far below it. */
#define WHERE_BELOW_STACK (16 * PAGE_SIZE)

/* An object of the heap. */
struct where_object {
	uint64_t page; /* it begins in */
	uint32_t slot;
	uint64_t offset, site;
};

static bool where_add_piece(struct text *text, const struct binary *binary, uint64_t address)
{
	uint32_t piece, offset;

	if (!binary_is_machine_made(binary) ||
	        !layout_locate(&binary->flat, &binary->layout, address, &piece, &offset)) {
		return false;
	}
	text_add(text, "piece ");
	text_add_decimal(text, piece);
	if (offset != 0) {
		text_add(text, " + ");
		text_add_hex(text, offset);
	}
	return true;
}

/* The directory's entry of a page of the heap. False: it has none, or it cannot be read. */
static bool where_read_page(
        const struct instance *instance, endpoint_t slot, uint64_t page, struct heap_page *ret_page)
{
	return !heap_page_is_directory(page) &&
	       sys_copy(slot, instance->heap + heap_entry_offset(page), EP_SELF, (vaddr_t)ret_page,
	               sizeof(*ret_page), 0) == E_OK;
}

static bool where_find_small(const struct heap_page *entry, struct where_object *object)
{
	if (entry->stride < HEAP_STRIDE_MIN || entry->n_slots > HEAP_SLOTS_MAX) {
		return false;
	}
	object->slot = (uint32_t)(object->offset / entry->stride);
	object->offset %= entry->stride;
	return object->slot < entry->n_slots &&
	       (entry->live[object->slot / 64] >> object->slot % 64 & 1) != 0;
}

/* The object at a distance from the heap's start. False: there is none. */
static bool where_find(const struct instance *instance, endpoint_t slot, uint64_t distance,
        struct where_object *ret_object)
{
	struct where_object object = {
	        .page = distance / HEAP_PAGE_BYTES, .offset = distance % HEAP_PAGE_BYTES};
	struct heap_page entry;

	if (!where_read_page(instance, slot, object.page, &entry)) {
		return false;
	}
	if (entry.kind == HEAP_PAGE_TAIL && entry.span <= object.page) {
		object.page -= entry.span;
		object.offset += (uint64_t)entry.span * HEAP_PAGE_BYTES;
		if (!where_read_page(instance, slot, object.page, &entry) ||
		        entry.kind != HEAP_PAGE_LARGE) {
			return false;
		}
	}
	if (entry.kind != HEAP_PAGE_LARGE &&
	        (entry.kind != HEAP_PAGE_SMALL || !where_find_small(&entry, &object))) {
		return false;
	}
	object.site = entry.site;
	*ret_object = object;
	return true;
}

static void where_add_heap(struct text *text, const struct instance *instance,
        const struct binary *binary, endpoint_t slot, uint64_t distance)
{
	struct where_object object;

	if (!where_find(instance, slot, distance, &object)) {
		text_add(text, "an address in its heap");
		return;
	}
	text_add(text, "object ");
	text_add_decimal(text, (int64_t)object.page);
	text_add(text, ".");
	text_add_decimal(text, object.slot);
	text_add(text, " + ");
	text_add_hex(text, object.offset);
	text_add(text, " of site ");
	if (!where_add_piece(text, binary, object.site)) {
		text_add(text, "unknown");
	}
}

/*
 * Nothing is drawn below SPAN_LOW, so a value there gives nothing away. A layout that was made
 * outside is known there; but such an instance may have been shown one that RS made, in which its
 * predecessor goes on running, and then only what lies in its own image is told.
 */
static bool where_is_known(
        const struct instance *instance, const struct binary *binary, uint64_t address)
{
	const struct image_header *image = binary->image.header;

	if (address < SPAN_LOW || binary_is_machine_made(binary)) {
		return address < SPAN_LOW;
	}
	return !instance->is_shown_secret || address - image->base < image->window_len;
}

void where_add(struct text *text, const struct instance *instance, const struct binary *binary,
        endpoint_t slot, uint64_t address)
{
	if (where_is_known(instance, binary, address)) {
		text_add_hex(text, address);
	} else if (where_add_piece(text, binary, address)) {
		return;
	} else if (address - instance->heap < instance->heap_limit) {
		where_add_heap(text, instance, binary, slot, address - instance->heap);
	} else if (address - (instance->stack_low - WHERE_BELOW_STACK) <=
	           instance->stack_pointer - (instance->stack_low - WHERE_BELOW_STACK)) {
		text_add(text, "stack, depth ");
		text_add_hex(text, instance->stack_pointer - address);
	} else {
		text_add(text, "an address outside its image");
	}
}
