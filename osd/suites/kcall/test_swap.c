/* Updates as the kernel sees them: swap, hold, commit, roll back, start afresh. */
#include "osd/suites/kcall/kcall.h"
#include "osd/abi/grant.h"
#include "osd/lib/sys/sys.h"

static struct puppet old, new, client, other;
static const char service_name[SERVICE_NAME_LEN] = "svc";

#define TABLE ((struct grant *)SHARED_SCRATCH)

static void service_new(void)
{
	puppet_new(&old, 0, "svc", 0);
	puppet_new(&client, 2, "client", 0);
	puppet_new(&other, 3, "other", 0);
	puppet_new(&new, 1, "svc", SLOT_UNCOMMITTED);
}

static void service_free(void)
{
	puppet_free(&old);
	puppet_free(&new);
	puppet_free(&client);
	puppet_free(&other);
}

/*
 * After a swap the instances sit behind each other's endpoints; the puppets follow, with their
 * spaces: a puppet is the instance, and its child.ep is where it is now.
 */
static void puppets_exchange(void)
{
	endpoint_t ep = old.child.ep;

	old.child.ep = new.child.ep;
	new.child.ep = ep;
}

static void swap_held(void)
{
	IS(E_OK, sys_slot_swap(old.child.ep, new.child.ep, SWAP_HOLD));
	puppets_exchange();
}

/* Was this program notified by the kernel since it looked last, or is it within a millisecond? */
static bool is_notified(void)
{
	struct message msg;
	bool is_kernel = false;

	(void)sys_alarm_set(sys_clock_read() + 1000 * 1000);
	do {
		IS(E_OK, sys_receive(EP_ANY, &msg));
		is_kernel |= message_is_notify(&msg, EP_KERNEL);
	} while (!message_is_notify(&msg, EP_CLOCK));
	return is_kernel;
}

/* The supervisor is notified of the first receive after a commit, and of no other. */
static void test_first_receive(void)
{
	nsec_t first_receive = 0;

	service_new();
	swap_held();
	IS(E_OK, sys_slot_commit(new.child.ep));
	(void)is_notified();
	OK(!is_notified());
	for (unsigned i = 0; i < 2; i++) {
		puppet_ipc_begin(&new, KCALL_receive, EP_ANY, 0, 0);
		IS(i == 0, is_notified());
		IS(i == 0, info_of(new.child.ep).first_receive_nsec != first_receive);
		first_receive = info_of(new.child.ep).first_receive_nsec;
		IS(E_OK, sys_notify(new.child.ep));
		IS(E_OK, puppet_end(&new));
		(void)is_notified();
	}
	service_free();
}

/*
 * What came in before the switch and during the hold reaches the new instance: a caller waiting for
 * its reply, a waiting sender, an asynchronous message, a notification.
 */
static void test_update(void)
{
	service_new();
	puppet_ipc_begin(&client, KCALL_sendrec, old.child.ep, 5, 6);
	IS(E_OK, puppet_ipc(&old, KCALL_receive, EP_ANY, 0, 0));
	puppet_ipc_begin(&other, KCALL_send, old.child.ep, 7, 8);
	OK(puppet_waits(&other));
	swap_held();
	IS(1, info_of(new.child.ep).is_held);
	IS(1, info_of(new.child.ep).is_uncommitted);
	IS(new.child.ep, sys_lookup(service_name));
	IS(E_UNCOMMITTED, puppet_ipc(&new, KCALL_receive, EP_ANY, 0, 0));
	IS(E_OK, sys_notify(new.child.ep));
	IS(1, info_of(new.child.ep).n_senders);
	IS(E_OK, sys_slot_commit(new.child.ep));
	OK(info_of(new.child.ep).commit_nsec > 0);
	IS(0, info_of(new.child.ep).first_receive_nsec);
	IS(new.child.ep, sys_lookup(service_name));
	IS(E_OK, puppet_ipc(&new, KCALL_receive, EP_ANY, 0, 0));
	IS(MSG_NOTIFY, puppet_order(&new)->msg.type);
	OK(info_of(new.child.ep).first_receive_nsec >= info_of(new.child.ep).commit_nsec);
	IS(E_OK, puppet_ipc(&new, KCALL_receive, EP_ANY, 0, 0));
	IS(8, puppet_order(&new)->msg.w[0]);
	IS(E_OK, puppet_end(&other));
	IS(E_OK, puppet_ipc(&new, KCALL_reply, client.child.ep, 9, 10));
	IS(E_OK, puppet_end(&client));
	IS(10, puppet_order(&client)->msg.w[0]);
	service_free();
}

static void test_rollback(void)
{
	service_new();
	puppet_ipc_begin(&client, KCALL_sendrec, old.child.ep, 5, 6);
	IS(E_OK, puppet_ipc(&old, KCALL_receive, EP_ANY, 0, 0));
	swap_held();
	IS(E_UNCOMMITTED, puppet_ipc(&new, KCALL_reply_receive, client.child.ep, 1, 1));
	puppet_ipc_begin(&other, KCALL_sendrec, new.child.ep, 7, 8);
	OK(puppet_waits(&other));
	IS(E_STATE, sys_slot_unhold(new.child.ep)); /* the new one is not committed */
	IS(E_OK, sys_slot_swap(new.child.ep, old.child.ep, 0));
	puppets_exchange();
	IS(1, info_of(old.child.ep).is_held);
	IS(E_STATE, sys_slot_commit(old.child.ep)); /* nothing to commit */
	IS(E_OK, sys_slot_unhold(old.child.ep));
	IS(0, info_of(old.child.ep).is_held);
	IS(old.child.ep, sys_lookup(service_name));
	IS(E_OK, puppet_ipc(&old, KCALL_receive, EP_ANY, 0, 0));
	IS(8, puppet_order(&old)->msg.w[0]);
	IS(E_OK, puppet_ipc(&old, KCALL_reply, other.child.ep, 1, 2));
	IS(E_OK, puppet_ipc(&old, KCALL_reply, client.child.ep, 1, 2));
	IS(E_OK, puppet_end(&other));
	IS(E_OK, puppet_end(&client));
	service_free();
}

/* Rolled back and not yet let go: the slot is held, and the old one is in it. */
static void swap_back_held(void)
{
	swap_held();
	IS(E_OK, sys_slot_swap(new.child.ep, old.child.ep, 0));
	puppets_exchange();
	IS(1, info_of(old.child.ep).is_held);
}

/* The old instance may receive before the hold ends; whatever it would get waits until then. */
static void test_held_receiver(void)
{
	service_new();
	swap_back_held();
	puppet_ipc_begin(&old, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&old));
	puppet_ipc_begin(&client, KCALL_send, old.child.ep, 5, 6);
	OK(puppet_waits(&client));
	puppet_ipc_begin(&other, KCALL_sendrec, old.child.ep, 7, 8);
	OK(puppet_waits(&other));
	IS(E_OK, sys_notify(old.child.ep));
	OK(puppet_waits(&old));
	IS(2, info_of(old.child.ep).n_senders);
	IS(E_OK, sys_slot_unhold(old.child.ep));
	IS(E_OK, puppet_end(&old));
	IS(MSG_NOTIFY, puppet_order(&old)->msg.type);
	swap_back_held();
	puppet_ipc_begin(&old, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&old));
	OK(puppet_waits(&client));
	IS(E_OK, sys_slot_unhold(old.child.ep));
	IS(E_OK, puppet_end(&old));
	IS(6, puppet_order(&old)->msg.w[0]);
	IS(E_OK, puppet_end(&client));
	IS(E_OK, puppet_ipc(&old, KCALL_receive, EP_ANY, 0, 0));
	IS(8, puppet_order(&old)->msg.w[0]);
	IS(E_OK, puppet_ipc(&old, KCALL_reply, other.child.ep, 1, 2));
	IS(E_OK, puppet_end(&other));
	service_free();
}

/*
 * While held nothing is delivered, also not to an instance that waits
 * already when the hold begins.
 */
static void test_hold_notify_alarm(void)
{
	service_new();
	IS(E_OK, puppet_call(&old, KCALL_alarm_set, sys_clock_read() + 1000000));
	swap_held();
	child_settle(2000);
	IS(E_OK, puppet_call(&client, KCALL_notify, new.child.ep));
	IS(E_OK, sys_slot_commit(new.child.ep));
	IS(E_OK, puppet_ipc(&new, KCALL_receive, EP_CLOCK, 0, 0));
	IS(EP_CLOCK, puppet_order(&new)->msg.source);
	IS(E_OK, puppet_ipc(&new, KCALL_receive, client.child.ep, 0, 0));
	service_free();
}

/* A safe copy waits for the commit, and then finds the new instance's table and memory. */
static void test_parked_copy(void)
{
	uint64_t *target = (uint64_t *)(SHARED_SCRATCH + 512);

	service_new();
	TABLE[0] = (struct grant){(void *)DEMAND_VA, 8, client.child.ep, GRANT_READ, 1};
	TABLE[1] =
	        (struct grant){(void *)(SHARED_SCRATCH + 256), 8, client.child.ep, GRANT_READ, 1};
	*(uint64_t *)(SHARED_SCRATCH + 256) = 0xabcd;
	*target = 1;
	IS(E_OK, puppet_call(&old, KCALL_grant_table_set, (uint64_t)TABLE, 1));
	swap_held();
	puppet_begin(&client, KCALL_copy_from_grant,
	        (const uint64_t[6]){new.child.ep, GRANT_ID(0, 1), 0, (uint64_t)target, 8});
	OK(puppet_waits(&client));
	IS(SLOT_PARKED, info_state(client.child.ep));
	IS(E_OK, puppet_call(&new, KCALL_grant_table_set, (uint64_t)&TABLE[1], 1));
	IS(1, *target);
	IS(E_OK, sys_slot_commit(new.child.ep));
	IS(E_OK, puppet_end(&client));
	IS(0xabcd, *target);
	service_free();
}

static void test_parked_then_dead(void)
{
	service_new();
	swap_held();
	puppet_begin(&client, KCALL_copy_to_grant,
	        (const uint64_t[6]){new.child.ep, 0, 0, SHARED_SCRATCH, 8});
	puppet_begin(&other, KCALL_copy_to_grant,
	        (const uint64_t[6]){new.child.ep, 0, 0, SHARED_SCRATCH, 8});
	OK(puppet_waits(&client));
	OK(puppet_waits(&other));
	puppet_free(&other); /* a parked one can be destroyed */
	puppet_free(&new);
	IS(E_DEAD, puppet_end(&client));
	puppet_free(&old);
	puppet_free(&client);
}

/* A restart: callers are told, the alarm goes, what was not yet received stays. */
static void test_fresh(void)
{
	service_new();
	puppet_ipc_begin(&client, KCALL_sendrec, old.child.ep, 5, 6);
	IS(E_OK, puppet_ipc(&old, KCALL_receive, EP_ANY, 0, 0));
	puppet_ipc_begin(&other, KCALL_sendrec, old.child.ep, 7, 8);
	OK(puppet_waits(&other));
	IS(E_OK, puppet_call(&old, KCALL_alarm_set, sys_clock_read() + 300000000));
	puppet_ipc_begin(&old, KCALL_receive, EP_NONE - 10, 0, 0);
	IS(E_INVAL, puppet_end(&old));
	IS(E_OK, sys_slot_swap(old.child.ep, new.child.ep, SWAP_FRESH));
	puppets_exchange();
	IS(E_RESTART, puppet_end(&client));
	IS(0, info_of(new.child.ep).is_uncommitted);
	IS(0, info_of(new.child.ep).is_held);
	IS(E_OK, puppet_ipc(&new, KCALL_receive, EP_ANY, 0, 0));
	IS(8, puppet_order(&new)->msg.w[0]);
	puppet_ipc_begin(&new, KCALL_receive, EP_CLOCK, 0, 0);
	child_settle(350000);
	OK(puppet_waits(&new)); /* no alarm */
	service_free();
	/* `other` got E_DEAD, and its puppet is gone as well. */
}

/* Interrupt hooks belong to the slot: they survive an update, and go with a fresh start. */
static void test_hooks(void)
{
	struct domain_privileges privileges = {.n_irq = 1, .irq = {11}};
	err_t hook;

	service_new();
	privileges_call(&privileges, KCALL_irq_hook);
	privileges_call(&privileges, KCALL_irq_enable);
	puppet_allow(&old, &privileges);
	puppet_allow(&new, &privileges);
	hook = puppet_call(&old, KCALL_irq_hook, 11, 3);
	OK(hook >= 0);
	swap_held();
	IS(E_OK, sys_slot_commit(new.child.ep));
	IS(hook, puppet_call(&new, KCALL_irq_hook, 11, 3));
	IS(E_OK, puppet_call(&new, KCALL_irq_enable, (uint64_t)hook));
	IS(E_OK, sys_slot_swap(new.child.ep, old.child.ep, SWAP_FRESH));
	puppets_exchange();
	IS(E_INVAL, puppet_call(&old, KCALL_irq_enable, (uint64_t)hook));
	service_free();
}

/* The old one may be anywhere: faulted, stopped in an IPC, ended. */
static void test_fresh_from_anywhere(void)
{
	for (int i = 0; i < 4; i++) {
		service_new();
		if (i == 0) {
			IS(PUPPET_ENDED, puppet_call(&old, KCALL_exit, 1));
		} else if (i == 1) {
			IS(PUPPET_ENDED, puppet_call(&old, 9 /* a Linux number */, 0));
		} else if (i == 2) {
			puppet_ipc_begin(&old, KCALL_receive, EP_ANY, 0, 0);
			OK(puppet_waits(&old));
			IS(E_OK, sys_slot_stop(old.child.ep));
		} else {
			puppet_ipc_begin(&old, KCALL_sendrec, other.child.ep, 1, 1);
			OK(puppet_waits(&old));
			IS(E_OK, sys_slot_stop(old.child.ep));
			IS(E_STATE, sys_slot_swap(old.child.ep, new.child.ep, SWAP_HOLD));
		}
		IS(E_OK, sys_slot_swap(old.child.ep, new.child.ep, SWAP_FRESH));
		puppets_exchange();
		IS(E_OK, puppet_ipc(&new, KCALL_notify, other.child.ep, 0, 0));
		service_free();
	}
}

/* Asynchronous messages to either slot stay with it, wherever the memory is that they wait in. */
static void test_async(void)
{
	struct message msg = {.type = 0x71};

	service_new();
	for (uint32_t i = 0; i < 3; i++) {
		msg.w[0] = i;
		IS(E_OK, sys_asend(old.child.ep, &msg));
	}
	msg.type = 0x72;
	IS(E_OK, sys_asend(new.child.ep, &msg));
	swap_held();
	IS(3, info_of(new.child.ep).n_async);
	IS(1, info_of(old.child.ep).n_async);
	msg.w[0] = 3;
	msg.type = 0x71;
	IS(E_OK, sys_asend(new.child.ep, &msg));
	IS(E_OK, sys_slot_commit(new.child.ep));
	IS(E_OK, puppet_ipc(&old, KCALL_receive, EP_ANY, 0, 0));
	IS(0x72, puppet_order(&old)->msg.type);
	puppet_free(&old); /* and its memory */
	for (uint32_t i = 0; i < 4; i++) {
		IS(E_OK, puppet_ipc(&new, KCALL_receive, EP_ANY, 0, 0));
		IS(0x71, puppet_order(&new)->msg.type);
		IS(i, puppet_order(&new)->msg.w[0]);
	}
	puppet_free(&new);
	puppet_free(&client);
	puppet_free(&other);
}

static void test_swap_errors(void)
{
	service_new();
	IS(E_INVAL, sys_slot_swap(old.child.ep, new.child.ep, 8));
	IS(E_INVAL, sys_slot_swap(old.child.ep, old.child.ep, 0));
	puppet_begin(&other, PUPPET_SPIN, (const uint64_t[6]){0});
	child_settle(300);
	IS(E_STATE, sys_slot_swap(other.child.ep, new.child.ep, SWAP_HOLD));
	IS(E_STATE, sys_slot_swap(old.child.ep, other.child.ep, SWAP_HOLD));
	IS(E_STATE, sys_slot_swap(other.child.ep, new.child.ep, SWAP_FRESH));
	IS(E_STATE, sys_slot_commit(old.child.ep));
	IS(E_STATE, sys_slot_commit(new.child.ep));
	IS(E_STATE, sys_slot_unhold(old.child.ep));
	IS(E_DEAD, sys_slot_swap(old.child.ep, EP_MAKE(200, 1), 0));
	service_free();
}

/* A new instance that ended cannot be committed; it is swapped back and the old one goes on. */
static void test_commit_ended(void)
{
	service_new();
	swap_held();
	IS(PUPPET_ENDED, puppet_call(&new, KCALL_exit, 3));
	IS(E_STATE, sys_slot_commit(new.child.ep));
	IS(E_OK, sys_slot_swap(new.child.ep, old.child.ep, 0));
	puppets_exchange();
	IS(E_OK, sys_slot_unhold(old.child.ep));
	IS(E_OK, puppet_call(&old, KCALL_null, 0));
	service_free();
}

static err_t touch(uint64_t address)
{
	return *(volatile uint8_t *)address;
}

/* Before its commit an instance gets no page from VM: the fault is an event, and is counted. */
static void test_uncommitted_fault(void)
{
	struct kernel_stats before, after;

	service_new();
	IS(E_OK, sys_kernel_stats(&before));
	swap_held();
	IS(PUPPET_ENDED, puppet_call(&new, PUPPET_CALL, (uint64_t)touch, DEMAND_VA));
	IS(SLOT_EVENT_FAULT, new.event.kind);
	IS(FAULT_PAGE_UNCOMMITTED, new.event.w[0]);
	IS(DEMAND_VA, new.event.w[1]);
	IS(1, info_of(new.child.ep).n_vm_faults);
	IS(E_OK, sys_kernel_stats(&after));
	IS(before.n_uncommitted_faults + 1, after.n_uncommitted_faults);
	service_free();
}

/* The same when the kernel meets the page, copying for the instance. */
static void test_uncommitted_kernel_fault(void)
{
	service_new();
	swap_held();
	IS(E_FAULT, puppet_call(&new, KCALL_grant_table_set, DEMAND_VA, 1));
	IS(E_OK, puppet_call(&new, KCALL_null, 0));
	service_free();
}

static void test_swap_many(void)
{
	service_new();
	for (int i = 0; i < 100; i++) {
		swap_held();
		IS(E_OK, puppet_call(&new, KCALL_null, 0));
		IS(E_OK, sys_slot_swap(new.child.ep, old.child.ep, 0));
		puppets_exchange();
		IS(E_OK, sys_slot_unhold(old.child.ep));
		IS(E_OK, puppet_call(&old, KCALL_null, 0));
	}
	service_free();
}

const struct test tests_swap[] = {
        {"an update: what waits reaches the new instance", test_update},
        {"the first receive after a commit notifies the supervisor", test_first_receive},
        {"a rollback: the old instance goes on", test_rollback},
        {"an instance that receives in a held slot", test_held_receiver},
        {"notifications and alarms of a held slot", test_hold_notify_alarm},
        {"a safe copy parked on a held slot", test_parked_copy},
        {"a safe copy parked on a slot that ends", test_parked_then_dead},
        {"SWAP_FRESH", test_fresh},
        {"interrupt hooks of a swapped slot", test_hooks},
        {"SWAP_FRESH from any state", test_fresh_from_anywhere},
        {"asynchronous messages through a swap", test_async},
        {"errors of slot_swap, slot_commit, slot_unhold", test_swap_errors},
        {"an ended instance is not committed", test_commit_ended},
        {"a page fault before the commit", test_uncommitted_fault},
        {"a page fault in a kernel call before the commit", test_uncommitted_kernel_fault},
        {"a hundred swaps and rollbacks", test_swap_many},
        {0},
};
