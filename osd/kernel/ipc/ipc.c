/*
 * IPC. A message goes from the sender's saved registers straight into the receiver's; nothing is
 * buffered but asynchronous messages, in the receiving slot. An instance that waits keeps its
 * message in its context, so that a swap of the receiver loses nothing.
 *
 * An instance receives when its state is SLOT_RECEIVING, it is not stopped and its slot is not
 * held. `slot->pending` says whether a receive from EP_ANY would find something; whoever adds or
 * takes something keeps it.
 *
 * The plain cases of sendrec and reply_receive are done by arch's entry code already (offsets.c
 * lists what it relies on); this code gives the same results for them.
 *
 * A foreign thread (../foreign) takes part as one that makes sendrec: what it sends is its system call,
 * of the answer it gets one register, and of our errors none.
 */
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/sched/state.h"

/* Before its commit an instance has rights to send to nobody. */
static inline bool ipc_may_send(const struct instance *from, const struct slot *to)
{
	return from->rights->ipc_to[to->ipc_index / 64] >> to->ipc_index % 64 & 1;
}

static void ipc_foreign_call_get(struct instance *from, struct message *ret)
{
	const uint64_t *args = arch_context_args(&from->context);

	ret->type = MSG_FOREIGN;
	ret->w[0] = arch_context_number(&from->context);
	for (unsigned int i = 0; i < 6; i++) {
		ret->w[1 + i] = args[i];
	}
}

static inline void ipc_message_get(struct instance *from, struct message *ret)
{
	if (from->is_foreign) {
		ipc_foreign_call_get(from, ret);
	} else {
		arch_context_message_get(&from->context, ret);
	}
	ret->source = from->slot->endpoint;
}

/* Who may be sent to by this call? */
static err_t ipc_check_target(struct instance *self, endpoint_t to, struct slot **ret_target)
{
	struct slot *target = slot_of(to);

	if (to < 0) {
		return E_INVAL;
	}
	if (target == NULL) {
		return E_DEAD;
	}
	if (!ipc_may_send(self, target)) {
		self->slot->n_ipc_masked++;
		return E_PERM;
	}
	*ret_target = target;
	return E_OK;
}

static bool ipc_is_receiving_from(const struct slot *slot, endpoint_t from)
{
	const struct instance *instance = slot->instance;

	return instance->state == SLOT_RECEIVING && !instance->is_stopped && !slot->is_held &&
	       (instance->peer == EP_ANY || instance->peer == from);
}

/* Who waits for whom is followed no further than this. */
#define IPC_CIRCLE_MAX 1024u

/*
 * Would self, by waiting for target, close a circle of instances that wait for each other? A target
 * that receives from self is none: it is stopped or held, and takes the message when it goes on. A circle
 * of others, who receive from each other, has no end. A circle longer than any that is followed is not seen: who is in it waits until it is ended.
 */
static bool ipc_is_circle(const struct instance *self, const struct slot *target)
{
	const uint32_t waiting =
	        1u << SLOT_SENDING | 1u << SLOT_WAITING_REPLY | 1u << SLOT_RECEIVING;

	if (target->instance->state == SLOT_RECEIVING &&
	        target->instance->peer == self->slot->endpoint) {
		return false;
	}
	for (uint32_t hops = 0; target != NULL && hops < IPC_CIRCLE_MAX; hops++) {
		const struct instance *at = target->instance;
		if (at == self) {
			return true;
		}
		if (!(waiting >> at->state & 1) || at->peer < 0) {
			return false;
		}
		target = slot_of(at->peer);
	}
	return false;
}

/* The instance gets what it waited for. */
static void ipc_wake(struct instance *instance, err_t result)
{
	arch_context_result_set(&instance->context, result);
	instance_state_set(instance, SLOT_RUNNABLE);
}

static void ipc_message_pass(struct instance *from, struct instance *to)
{
	struct message message;

	ipc_message_get(from, &message);
	if (to->is_foreign) {
		ipc_wake(to, (err_t)message.w[0]);
	} else {
		arch_context_message_set(&to->context, &message);
		ipc_wake(to, E_OK);
	}
}

static err_t ipc_send_to(struct instance *self, struct slot *target, bool is_sendrec)
{
	endpoint_t to = target->endpoint;

	cpu_this()->n_ipc_slow++;
	if (ipc_is_receiving_from(target, self->slot->endpoint)) {
		ipc_message_pass(self, target->instance);
		if (!is_sendrec) {
			return E_OK;
		}
		self->peer = to;
		instance_state_set(self, SLOT_WAITING_REPLY);
		return KCALL_PENDING;
	}
	if (ipc_is_circle(self, target)) {
		return E_DEADLOCK;
	}
	self->peer = to;
	self->is_sendrec = is_sendrec;
	instance_state_set(self, SLOT_SENDING);
	list_push(&target->senders, &self->sender_link);
	target->n_senders++;
	target->pending |= PENDING_SENDER;
	return KCALL_PENDING;
}

err_t ipc_send(struct instance *self, endpoint_t to)
{
	struct slot *target;
	err_t err = ipc_check_target(self, to, &target);

	return err != E_OK                ? err
	       : target->instance == self ? E_DEADLOCK
	                                  : ipc_send_to(self, target, false);
}

err_t ipc_sendrec(struct instance *self, endpoint_t to)
{
	struct slot *target;
	err_t err = ipc_check_target(self, to, &target);

	return err != E_OK                ? err
	       : target->instance == self ? E_DEADLOCK
	                                  : ipc_send_to(self, target, true);
}

/*
 * Taking what waits in a slot. Each fills the message and answers whether
 * there was something from `from`.
 */

static void ipc_notification_fill(struct message *message, endpoint_t source, uint64_t bits)
{
	*message =
	        (struct message){.type = MSG_NOTIFY, .source = source, .w = {bits, arch_clock()}};
}

static void ipc_pending_update(struct slot *slot)
{
	uint64_t any = slot->notified_by_kernel;

	for (uint32_t i = 0; i < N_SERVICE_SLOTS / 64; i++) {
		any |= slot->notified_by[i];
	}
	slot->pending = (slot->pending & ~PENDING_NOTIFY) | (any != 0 ? PENDING_NOTIFY : 0);
}

static bool ipc_take_kernel(struct slot *slot, endpoint_t from, struct message *message)
{
	static const struct {
		uint32_t bit;
		endpoint_t endpoint;
	} sources[] = {
	        {NOTIFIED_KERNEL, EP_KERNEL},
	        {NOTIFIED_CLOCK, EP_CLOCK},
	        {NOTIFIED_HARDWARE, EP_HARDWARE},
	};

	for (unsigned int i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (!(slot->notified_by_kernel & sources[i].bit) ||
		        (from != EP_ANY && from != sources[i].endpoint)) {
			continue;
		}
		ipc_notification_fill(message, sources[i].endpoint,
		        sources[i].bit == NOTIFIED_HARDWARE ? slot->irq_bits : 0);
		slot->notified_by_kernel &= ~sources[i].bit;
		slot->irq_bits = sources[i].bit == NOTIFIED_HARDWARE ? 0 : slot->irq_bits;
		ipc_pending_update(slot);
		return true;
	}
	return false;
}

static bool ipc_take_notification(struct slot *slot, endpoint_t from, struct message *message)
{
	for (uint32_t i = 0; i < N_SERVICE_SLOTS; i++) {
		if (slot->notified_by[i / 64] >> i % 64 == 0) {
			i |= 63; /* nothing more in this word */
			continue;
		}
		if (!(slot->notified_by[i / 64] >> i % 64 & 1) ||
		        (from != EP_ANY && from != slot_at(i)->endpoint)) {
			continue;
		}
		ipc_notification_fill(message, slot_at(i)->endpoint, 0);
		ipc_notification_forget(slot, i);
		if (message->source != EP_NONE) {
			return true;
		} /* of one that ends */
	}
	return false;
}

static bool ipc_take_async(struct slot *slot, endpoint_t from, struct message *message)
{
	for (uint32_t i = 0; i < slot->n_async; i++) {
		if (from != EP_ANY &&
		        slot->async[(slot->async_first + i) % N_ASYNC].source != from) {
			continue;
		}
		*message = slot->async[(slot->async_first + i) % N_ASYNC];
		for (uint32_t j = i; j > 0; j--) {
			slot->async[(slot->async_first + j) % N_ASYNC] =
			        slot->async[(slot->async_first + j - 1) % N_ASYNC];
		}
		slot->async_first = (slot->async_first + 1) % N_ASYNC;
		if (--slot->n_async == 0) {
			slot->pending &= ~PENDING_ASYNC;
		}
		return true;
	}
	return false;
}

static void ipc_sender_unlink(struct instance *sender, struct slot *target)
{
	list_remove(&sender->sender_link);
	if (--target->n_senders == 0) {
		target->pending &= ~PENDING_SENDER;
	}
}

/* Who sends to the slot, the first one or this one; NULL: nobody does. */
static struct instance *ipc_sender_find(const struct slot *slot, endpoint_t from)
{
	const struct slot *sender = slot_of(from);

	if (from == EP_ANY) {
		return list_is_empty(&slot->senders)
		               ? NULL
		               : list_entry(slot->senders.next, struct instance, sender_link);
	}
	return sender != NULL && sender->instance->state == SLOT_SENDING &&
	                       sender->instance->peer == slot->endpoint
	               ? sender->instance
	               : NULL;
}

static bool ipc_take_sender(struct slot *slot, endpoint_t from, struct message *message)
{
	struct instance *sender = ipc_sender_find(slot, from);

	if (sender == NULL) {
		return false;
	}
	ipc_message_get(sender, message);
	ipc_sender_unlink(sender, slot);
	if (sender->is_sendrec) {
		instance_state_set(sender, SLOT_WAITING_REPLY);
	} else {
		ipc_wake(sender, E_OK);
	}
	return true;
}

static bool ipc_take(struct slot *slot, endpoint_t from, struct message *message)
{
	if (slot->pending == 0) {
		return false;
	}
	return ipc_take_kernel(slot, from, message) || ipc_take_notification(slot, from, message) ||
	       ipc_take_async(slot, from, message) || ipc_take_sender(slot, from, message);
}

/*
 * The service is at work again after its commit. Its supervisor, who waits for that to clear up, is
 * notified as of an event, though there is none to take: slot_info has the time.
 */
static void ipc_first_receive(struct slot *slot)
{
	struct slot *supervisor = slot_of(slot->supervisor);

	slot->pending &= ~PENDING_FIRST_RECEIVE;
	slot->first_receive_nsec = arch_clock();
	if (supervisor != NULL) {
		ipc_notify_kernel(supervisor, NOTIFIED_KERNEL, 0);
	}
}

/* self receives now or waits. */
static err_t ipc_receive_from(struct instance *self, endpoint_t from)
{
	struct slot *slot = self->slot;
	struct message message;

	slot->is_known = 1;
	if (slot->pending & PENDING_FIRST_RECEIVE) {
		ipc_first_receive(slot);
	}
	if (!slot->is_held && ipc_take(slot, from, &message)) {
		arch_context_message_set(&self->context, &message);
		return E_OK;
	}
	self->peer = from;
	instance_state_set(self, SLOT_RECEIVING);
	return KCALL_PENDING;
}

err_t ipc_receive(struct instance *self, endpoint_t from)
{
	if (from < 0 && from != EP_ANY && from != EP_KERNEL && from != EP_CLOCK &&
	        from != EP_HARDWARE) {
		return E_INVAL;
	}
	if (from >= 0) {
		struct slot *source = slot_of(from);

		if (source == NULL) {
			return E_DEAD;
		}
		source->is_known = 1;
	}
	return ipc_receive_from(self, from);
}

static err_t ipc_reply_to(struct instance *self, endpoint_t to)
{
	struct slot *target = slot_of(to);

	if (target == NULL) {
		return E_DEAD;
	}
	if (target->instance->state != SLOT_WAITING_REPLY ||
	        target->instance->peer != self->slot->endpoint) {
		return E_STATE;
	}
	cpu_this()->n_ipc_slow++;
	ipc_message_pass(self, target->instance);
	return E_OK;
}

err_t ipc_reply(struct instance *self, endpoint_t to)
{
	return to < 0 ? E_INVAL : ipc_reply_to(self, to);
}

err_t ipc_reply_receive(struct instance *self, endpoint_t to)
{
	if (to < 0) {
		return E_INVAL;
	}
	(void)ipc_reply_to(self, to);
	return ipc_receive_from(self, EP_ANY);
}

void ipc_deliver_waiting(struct slot *slot)
{
	struct instance *instance = slot->instance;
	struct message message;

	if (instance->state != SLOT_RECEIVING || instance->is_stopped || slot->is_held) {
		return;
	}
	if (ipc_take(slot, instance->peer, &message)) {
		arch_context_message_set(&instance->context, &message);
		ipc_wake(instance, E_OK);
	}
}

err_t ipc_notify(struct instance *self, endpoint_t to)
{
	uint32_t number = self->slot->number;
	struct slot *target;
	err_t err = ipc_check_target(self, to, &target);

	if (err != E_OK) {
		return err;
	}
	if (number >= N_SERVICE_SLOTS) {
		return E_PERM;
	}
	self->slot->is_known = 1;
	target->notified_by[number / 64] |= 1ull << number % 64;
	target->pending |= PENDING_NOTIFY;
	ipc_deliver_waiting(target);
	return E_OK;
}

void ipc_notify_kernel(struct slot *to, uint32_t notified, uint64_t irq_bits)
{
	to->notified_by_kernel |= notified;
	to->irq_bits |= irq_bits;
	to->pending |= PENDING_NOTIFY;
	ipc_deliver_waiting(to);
}

err_t ipc_asend(struct instance *self, endpoint_t to)
{
	struct slot *target;
	struct message *message;
	err_t err = ipc_check_target(self, to, &target);

	if (err != E_OK) {
		return err;
	}
	if (target->async == NULL || target->n_async == N_ASYNC) {
		return E_FULL;
	}
	message = &target->async[(target->async_first + target->n_async++) % N_ASYNC];
	arch_context_message_get(&self->context, message);
	message->source = self->slot->endpoint;
	target->pending |= PENDING_ASYNC;
	ipc_deliver_waiting(target);
	return E_OK;
}

/* Of no use to a foreign thread is the result: it waits for its supervisor, as after a fault. */
static void ipc_end(struct instance *instance, err_t result)
{
	if (instance->is_foreign) {
		instance->fault_wait = FAULT_WAIT_SUPERVISOR;
		instance->fault_is_mended = false;
		instance_state_set(instance, SLOT_FAULTED);
	} else {
		ipc_wake(instance, result);
	}
}

void ipc_cancel(struct instance *instance, err_t result)
{
	switch ((enum slot_state)instance->state) {
	case SLOT_SENDING:
		ipc_sender_unlink(instance, slot_at(EP_SLOT(instance->peer)));
		ipc_end(instance, result);
		break;
	case SLOT_PARKED:
		list_remove(&instance->sender_link);
		instance->call_progress = 0; /* it is not made again */
		ipc_end(instance, result);
		break;
	case SLOT_RECEIVING:
	case SLOT_WAITING_REPLY:
		ipc_end(instance, result);
		break;
	case SLOT_NEW:
	case SLOT_RUNNABLE:
	case SLOT_FAULTED:
	case SLOT_REPORTED:
	case SLOT_STOPPED:
	case SLOT_EXITED:
	case SLOT_STATE_N:
		break;
	}
}

void ipc_notification_forget(struct slot *slot, uint32_t source)
{
	if (source < N_SERVICE_SLOTS && slot->notified_by[source / 64] >> source % 64 & 1) {
		slot->notified_by[source / 64] &= ~(1ull << source % 64);
		ipc_pending_update(slot);
	}
}

void ipc_alarm_forget(struct slot *slot)
{
	slot->notified_by_kernel &= ~NOTIFIED_CLOCK;
	ipc_pending_update(slot);
}

err_t ipc_park(struct instance *self, struct slot *on)
{
	self->peer = on->endpoint;
	instance_state_set(self, SLOT_PARKED);
	list_push(&on->parked, &self->sender_link);
	return KCALL_PENDING;
}

bool ipc_unpark(struct slot *on, uint32_t max)
{
	for (uint32_t i = 0; i < max && !list_is_empty(&on->parked); i++) {
		struct instance *instance =
		        list_entry(on->parked.next, struct instance, sender_link);

		list_remove(&instance->sender_link);
		arch_context_restart(&instance->context);
		instance_state_set(instance, SLOT_RUNNABLE);
	}
	return list_is_empty(&on->parked);
}
