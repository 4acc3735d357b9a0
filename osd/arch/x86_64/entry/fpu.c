/*
 * The floating-point unit, with all registers that belong to it: x87, SSE, and AVX and AVX-512 where the
 * CPU has them. Their state lies in a frame of its own (arch_context_fpu_set), in the format of
 * `xsave`; on a CPU without that, of `fxsave`.
 *
 * Only who uses the unit pays for it. A context begins with the unit off (CR0.TS); its first
 * instruction that wants it traps, once, and gets registers that are at their beginning. From then
 * on they are saved whenever the CPU goes from this context to another, and loaded when it comes back.
 * Where it goes to a context that has not used the unit, or to none, the registers are cleared, since
 * some CPUs run ahead with what is there, whatever TS says (CVE-2018-3665). What holds: TS is set
 * unless the context that runs has used the unit, and when it is set the registers are nobody's.
 *
 * Old CPUs of AMD's load the pointers of the last x87 instruction only with an exception
 * (CVE-2006-1056), so one of the kernel's comes before each load; then these are its own.
 *
 * Components of `xsave` that are not named here stay off, whatever the CPU has: nobody can use them.
 */
#include "osd/arch/x86_64/entry/entry.h"
#include "osd/arch/x86_64/x86.h"

#define CPUID_FEATURES 1u
#define CPUID_C_XSAVE (1u << 26)
#define CPUID_XSTATE                                                                               \
	0xdu /* subleaf 0, a: components, b: bytes of those that are on; 1, a: instructions */
#define CPUID_A_XSAVEOPT 1u

#define XSTATE_BASE 3u /* x87 and SSE */
#define XSTATE_AVX 4u
#define XSTATE_AVX512 0xe0u /* its three parts, none of them without the others */

#define FXSAVE_BYTES 512u
#define FPU_CONTROL 0x037f
#define SSE_CONTROL 0x1f80

/* The beginning of both formats. */
struct fpu_state {
	uint16_t control, status;
	uint8_t tags, pad;
	uint16_t opcode;
	uint64_t ip, operand;
	uint32_t mxcsr, mxcsr_mask;
};

/* Behind FXSAVE_BYTES in that of `xsave`. */
struct fpu_header {
	uint64_t components, compacted, reserved[6];
};

#define MXCSR_BITS_OLD 0xffbfu /* of a CPU that does not say */

enum fpu_kind { FPU_FXSAVE, FPU_XSAVE, FPU_XSAVEOPT };

/* The same for all CPUs. */
static enum fpu_kind fpu_kind;
static uint32_t fpu_components, fpu_bytes, fpu_mxcsr_bits;
static uint8_t fpu_clean[SLOT_FPU_BYTES_MAX] __attribute__((aligned(64)));

static void fpu_components_set(uint32_t components)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"(components), "d"(0));
	fpu_components = components;
	fpu_bytes = cpuid(CPUID_XSTATE, 0).b;
}

static void fpu_xsave_enable(void)
{
	uint32_t has = cpuid(CPUID_XSTATE, 0).a, components = XSTATE_BASE | (has & XSTATE_AVX);

	if (components & XSTATE_AVX && (has & XSTATE_AVX512) == XSTATE_AVX512) {
		components |= XSTATE_AVX512;
	}
	fpu_kind = cpuid(CPUID_XSTATE, 1).a & CPUID_A_XSAVEOPT ? FPU_XSAVEOPT : FPU_XSAVE;
	cr4_set(CR4_OSXSAVE);
	fpu_components_set(components);
	if (fpu_bytes > SLOT_FPU_BYTES_MAX) {
		fpu_components_set(XSTATE_BASE);
	}
}

static uint32_t fpu_mxcsr_bits_find(void)
{
	struct {
		struct fpu_state state;
		uint8_t rest[FXSAVE_BYTES - sizeof(struct fpu_state)];
	} __attribute__((aligned(16))) area = {0};

	__asm__ volatile("fxsave64 %0" : "=m"(area));
	return area.state.mxcsr_mask != 0 ? area.state.mxcsr_mask : MXCSR_BITS_OLD;
}

/* A component that the header of `xsave` does not name is at its beginning; MXCSR is always read. */
static void fpu_area_init(void *area)
{
	__builtin_memset(area, 0, fpu_bytes);
	*(struct fpu_state *)area =
	        (struct fpu_state){.control = FPU_CONTROL, .mxcsr = SSE_CONTROL};
}

void fpu_init(void)
{
	fpu_mxcsr_bits = fpu_mxcsr_bits_find();
	fpu_kind = FPU_FXSAVE;
	fpu_bytes = FXSAVE_BYTES;
	if (cpuid(CPUID_FEATURES, 0).c & CPUID_C_XSAVE) {
		fpu_xsave_enable();
	}
	fpu_area_init(fpu_clean);
}

void fpu_cpu_init(void)
{
	if (fpu_kind != FPU_FXSAVE) {
		cr4_set(CR4_OSXSAVE);
		fpu_components_set(fpu_components);
	}
	cr0_write(cr0_read() | CR0_TS);
	arch_cpu_this()->is_fpu_off = true;
}

static void fpu_save(void *area)
{
	switch (fpu_kind) {
	case FPU_FXSAVE:
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
		break;
	case FPU_XSAVE:
		__asm__ volatile("xsave64 (%0)"
		        :
		        : "r"(area), "a"(fpu_components), "d"(0)
		        : "memory");
		break;
	case FPU_XSAVEOPT:
		__asm__ volatile("xsaveopt64 (%0)"
		        :
		        : "r"(area), "a"(fpu_components), "d"(0)
		        : "memory");
		break;
	}
}

/* No exception waits, no register is in use, and the last instruction is the third. */
static void fpu_pointers_forget(void)
{
	static const uint32_t zero;

	__asm__ volatile("fnclex\n\temms\n\tfildl %0" : : "m"(zero));
}

static void fpu_load(const void *area)
{
	fpu_pointers_forget();
	if (fpu_kind == FPU_FXSAVE) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
	} else {
		__asm__ volatile("xrstor64 (%0)"
		        :
		        : "r"(area), "a"(fpu_components), "d"(0)
		        : "memory");
	}
}

static void fpu_on(struct arch_cpu *cpu)
{
	if (cpu->is_fpu_off) {
		__asm__ volatile("clts");
		cpu->is_fpu_off = false;
	}
}

static void fpu_off(struct arch_cpu *cpu)
{
	if (!cpu->is_fpu_off) {
		fpu_load(fpu_clean);
		cr0_write(cr0_read() | CR0_TS);
		cpu->is_fpu_off = true;
	}
}

void context_fpu_switch(const struct arch_context *from, const struct arch_context *to)
{
	struct arch_cpu *cpu = arch_cpu_this();

	if (from != NULL && from->fpu != NULL) {
		fpu_save(from->fpu);
	}
	if (to != NULL && to->fpu != NULL) {
		fpu_on(cpu);
		fpu_load(to->fpu);
	} else {
		fpu_off(cpu);
	}
}

void context_fpu_take(struct arch_context *ctx)
{
	if (ctx->fpu_area == NULL) {
		fault_exception((struct instance *)(void *)ctx, FAULT_FPU, 0, ctx->vector);
		return;
	}
	fpu_area_init(ctx->fpu_area);
	ctx->fpu = ctx->fpu_area;
	context_fpu_switch(NULL, ctx);
}

void arch_context_fpu_set(struct arch_context *ctx, paddr_t frame)
{
	ctx->fpu = NULL;
	ctx->fpu_area = frame != 0 ? arch_frame_ptr(frame) : NULL;
}

uint32_t arch_fpu_bytes(void)
{
	return fpu_bytes;
}

const void *arch_context_fpu_get(struct arch_context *ctx)
{
	if (ctx->fpu_area != NULL && ctx->fpu == NULL) {
		fpu_area_init(ctx->fpu_area);
	}
	return ctx->fpu_area;
}

/* Would the CPU load it without a fault? */
static bool fpu_state_is_valid(const void *area)
{
	const struct fpu_header *header =
	        (const struct fpu_header *)((const uint8_t *)area + FXSAVE_BYTES);
	uint64_t reserved = 0;

	if (((const struct fpu_state *)area)->mxcsr & ~fpu_mxcsr_bits) {
		return false;
	}
	if (fpu_kind == FPU_FXSAVE) {
		return true;
	}
	for (uint32_t i = 0; i < sizeof(header->reserved) / sizeof(header->reserved[0]); i++) {
		reserved |= header->reserved[i];
	}
	return !(header->components & ~(uint64_t)fpu_components) &&
	       (header->compacted | reserved) == 0;
}

bool arch_context_fpu_load(struct arch_context *ctx, const void *state)
{
	if (!fpu_state_is_valid(state)) {
		return false;
	}
	__builtin_memcpy(ctx->fpu_area, state, fpu_bytes);
	ctx->fpu = ctx->fpu_area;
	return true;
}
