/* What the IPC fast path of osd/arch relies on. */
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/object/domain.h"

#define CHECK(type, member, offset) _Static_assert(offsetof(type, member) == (offset), "offsets.h")

CHECK(struct cpu, arch, 0);
CHECK(struct cpu, ready_mask, CPU_READY_MASK);
CHECK(struct cpu, cycles_last, CPU_CYCLES_LAST);
CHECK(struct cpu, n_ipc_fast, CPU_IPC_FAST);
CHECK(struct space, mmu.arch.root, SPACE_ROOT);
CHECK(struct slot, endpoint, SLOT_ENDPOINT);
CHECK(struct slot, is_held, SLOT_HELD);
CHECK(struct slot, pending, SLOT_PENDING);
CHECK(struct slot, ipc_index, SLOT_IPC_INDEX);
CHECK(struct instance, context, 0);
CHECK(struct instance, run_word, INSTANCE_RUN);
CHECK(struct instance, state, INSTANCE_RUN);
CHECK(struct instance, peer, INSTANCE_PEER);
CHECK(struct instance, space, INSTANCE_SPACE);
CHECK(struct instance, rights, INSTANCE_RIGHTS);
CHECK(struct rights, calls, RIGHTS_CALLS);
CHECK(struct rights, ipc_to, RIGHTS_IPC_TO);
CHECK(struct instance, cpu_cycles, INSTANCE_CYCLES);
CHECK(struct instance, above_mask, INSTANCE_ABOVE);
CHECK(struct thread, instance, 0);
CHECK(struct thread, slot, OF_SLOT);
_Static_assert(sizeof(struct thread) <= 1024, "there are many of them");
_Static_assert(EP_SLOT(EP_MAKE(SLOT_NUMBER_MASK, 1)) == SLOT_NUMBER_MASK &&
                       EP_SLOT(-1) == SLOT_NUMBER_MASK,
        "offsets.h");
_Static_assert(SLOT_RUNNABLE == STATE_RUNNABLE && SLOT_RECEIVING == STATE_RECEIVING &&
                       SLOT_WAITING_REPLY == STATE_WAITING_REPLY,
        "offsets.h");
_Static_assert(
        RUN_RECEIVING_ANY == (SLOT_RECEIVING | (uint64_t)(uint32_t)EP_ANY << 32), "offsets.h");
_Static_assert(KCALL_BASE == CALL_FIRST && KCALL_sendrec == CALL_SENDREC &&
                       KCALL_reply_receive == CALL_REPLY_RECEIVE,
        "offsets.h");
