/*
 * Each offset is decoded once; chains are then followed in the table. A chain that meets a direct
 * jump or call, or bytes that are no instruction, is no gadget: it leaves what is known.
 */
#include "forge/effect/gadget.h"

#include <capstone/capstone.h>

#include "forge/base/mem.h"
#include "forge/base/report.h"

enum gadget_kind {
	GADGET_NONE, /* no instruction, or one that leads elsewhere */
	GADGET_PLAIN,
	GADGET_END,
	_GADGET_KIND_N
};

struct gadget_reader {
	csh handle;
	cs_insn *insn;
};

/* What is decoded at an offset. */
struct gadget_place {
	uint8_t length, kind;
	bool is_call;
};

struct gadget_reader *gadget_reader_free(struct gadget_reader *reader)
{
	if (reader) {
		if (reader->insn) {
			cs_free(reader->insn, 1);
		}
		(void)cs_close(&reader->handle);
		free(reader);
	}
	return NULL;
}

int gadget_reader_new(struct gadget_reader **ret_reader)
{
	struct gadget_reader *reader = mem_zalloc(1, sizeof(*reader));
	const cs_err error = cs_open(CS_ARCH_X86, CS_MODE_64, &reader->handle);

	if (error != CS_ERR_OK) {
		free(reader);
		return report_failed("capstone", "%s", cs_strerror(error));
	}
	(void)cs_option(reader->handle, CS_OPT_DETAIL, CS_OPT_ON);
	reader->insn = cs_malloc(reader->handle);
	if (!reader->insn) {
		gadget_reader_free(reader);
		return report_failed("capstone", "no memory");
	}
	*ret_reader = reader;
	return 0;
}

/* Where control goes next: known targets (immediate operands) lead elsewhere. */
static enum gadget_kind gadget_kind_of(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;
	const bool is_direct = x86->op_count > 0 && x86->operands[0].type == X86_OP_IMM;
	uint8_t i;

	switch (insn->id) {
	case X86_INS_RET:
	case X86_INS_RETF:
	case X86_INS_RETFQ:
		return GADGET_END;
	case X86_INS_JMP:
	case X86_INS_LJMP:
	case X86_INS_CALL:
	case X86_INS_LCALL:
		return is_direct ? GADGET_NONE : GADGET_END;
	case X86_INS_HLT:
	case X86_INS_UD2:
		return GADGET_NONE;
	default: /* capstone's own, more than a thousand */
		break;
	}
	for (i = 0; i < insn->detail->groups_count; i++) {
		const uint8_t group = insn->detail->groups[i];

		if (group == CS_GRP_JUMP || group == CS_GRP_CALL || group == CS_GRP_INT ||
		        group == CS_GRP_IRET) {
			return GADGET_NONE;
		}
	}
	return GADGET_PLAIN;
}

static struct gadget_place gadget_decode(
        struct gadget_reader *reader, const uint8_t *code, size_t size)
{
	uint64_t address = 0;

	if (!cs_disasm_iter(reader->handle, &code, &size, &address, reader->insn)) {
		return (struct gadget_place){0};
	}
	return (struct gadget_place){.length = (uint8_t)reader->insn->size,
	        .kind = (uint8_t)gadget_kind_of(reader->insn),
	        .is_call = reader->insn->id == X86_INS_CALL || reader->insn->id == X86_INS_LCALL};
}

/* Bytes of the gadget at an offset. A chain never leaves the code: its end was decoded there. */
static uint8_t gadget_follow(const struct gadget_place *places, uint32_t size, uint32_t from)
{
	uint32_t at = from;
	unsigned int i;

	for (i = 0; i < GADGET_INSTRUCTIONS && at < size; i++) {
		const struct gadget_place *p = &places[at];

		at += p->length;
		if (p->kind == GADGET_NONE) {
			return 0;
		}
		if (p->kind == GADGET_END) {
			return (uint8_t)(at - from);
		}
	}
	return 0;
}

void gadget_scan(struct gadget_reader *reader, const uint8_t *code, uint32_t size,
        uint8_t *ret_lengths, uint32_t *ret_calls)
{
	MEM_FREE struct gadget_place *places = mem_zalloc(size, sizeof(*places));
	uint32_t i;

	for (i = 0; i < size; i++) {
		places[i] = gadget_decode(reader, code + i, size - i);
	}
	for (i = 0; i < size; i++) {
		ret_lengths[i] = gadget_follow(places, size, i);
	}
	*ret_calls = 0;
	for (i = 0; i < size; i += places[i].length > 0 ? places[i].length : 1) {
		*ret_calls += places[i].is_call;
	}
}
