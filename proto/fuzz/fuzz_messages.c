/*
 * Messages from outside, unpacked within a small arena. What was understood must
 * survive being packed and unpacked again.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/frame/arena.h"
#include "proto/control/control.pb-c.h"
#include "proto/frame/hello.pb-c.h"
#include "proto/machine/machine.pb-c.h"

static const ProtobufCMessageDescriptor *const kinds[] = {
        &wire__hello__descriptor,
        &wire__bye__descriptor,
        &machine__request__descriptor,
        &machine__from_machine__descriptor,
        &control__request__descriptor,
        &control__from_lud__descriptor,
};

static _Alignas(16) uint8_t arena_buf[2][1 << 16];
static uint8_t packed[1 << 17];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const ProtobufCMessageDescriptor *kind;
	struct wire_arena arena;
	ProtobufCMessage *msg;
	size_t len;

	if (size < 1) {
		return 0;
	}
	kind = kinds[data[0] % (sizeof(kinds) / sizeof(kinds[0]))];
	wire_arena_init(&arena, arena_buf[0], sizeof(arena_buf[0]));
	msg = protobuf_c_message_unpack(kind, &arena.allocator, size - 1, data + 1);
	if (msg == NULL) {
		return 0;
	}
	len = protobuf_c_message_get_packed_size(msg);
	if (len > sizeof(packed) || protobuf_c_message_pack(msg, packed) != len) {
		abort();
	}
	wire_arena_init(&arena, arena_buf[1], sizeof(arena_buf[1]));
	(void)protobuf_c_message_unpack(kind, &arena.allocator, len, packed);
	return 0;
}
