/*
 * The person's half of an order that destroys. lud sends the order it has had signed;
 * what is shown is read from those very bytes, and only the signature goes back, on a
 * connection of its own because the first one waits for the job's end.
 */
#include "ctl/sign/control.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/sign/intent.h"
#include "ctl/sign/known.h"
#include "ctl/sign/pairing.h"
#include "keyring/keyring.h"

static void control_key_freep(struct keyring_key **key)
{
	*key = keyring_key_free(*key);
}

/* The control key of this keyring. CTL_OK, or CTL_TRUST after the reason was printed. */
static int control_open(const struct options *options, struct keyring_key **ret_key)
{
	_cleanup_(ctl_freep) char *dir = command_keys(options);
	int r = keyring_key_open(dir, KEYRING_CONTROL, ret_key);

	if (r != 0) {
		return ctl_fail(CTL_TRUST, dir,
		        "name the keyring that has control.pem with --keys; see `luctl keys list`",
		        "the control key cannot be used: %s", keyring_error_text(r));
	}
	return CTL_OK;
}

bool control_is_at_hand(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = command_keys(options);
	_cleanup_(control_key_freep) struct keyring_key *key = NULL;

	return keyring_key_open(dir, KEYRING_CONTROL, &key) == 0;
}

/* What an order does, as the beginning of a sentence that goes on with the service. */
static const char *control_action(uint32_t action)
{
	switch ((enum order_action)action) {
	case ORDER_UPDATE:
		return "update, and lose state of,";
	case ORDER_PREPARE:
		return "prepare";
	case ORDER_RESTART:
		return "start afresh, losing its state,";
	case ORDER_SHUTDOWN:
		return "shut down";
	case ORDER_DROP:
		return "forget variants of";
	case ORDER_CONFIRM:
	case _ORDER_ACTION_N:
		break;
	}
	return "confirm";
}

/*
 * The service of an order, and what it would run. Names in an order are not terminated when
 * they fill their field.
 */
static void control_show_component(const struct order_component *c)
{
	char text[TEXT_SIZE];
	ProtobufCBinaryData id = {sizeof(c->release_id), (uint8_t *)c->release_id};

	fprintf(stderr, "luctl:   service %.*s", (int)sizeof(c->service), c->service);
	if (c->generation) {
		fprintf(stderr, ", to release %s as generation %" PRIu64, text_id(&id, text),
		        c->generation);
	}
	fputc('\n', stderr);
}

/* What is about to be signed, from the bytes that will be; names of machines are for people. */
static void control_show(const struct order_manifest *order, const char *machine)
{
	fprintf(stderr, "luctl: signing with the control key: %s%s\n",
	        control_action(order->action), order->n_components ? "" : " all");
	fprintf(stderr, "luctl:   machine %s, ", machine);
	for (uint32_t i = 0; i < sizeof(order->machine_id); i++) {
		fprintf(stderr, "%02x", order->machine_id[i]);
	}
	fprintf(stderr, " (order %" PRIu64 ".%" PRIu64 ")\n", order->epoch, order->transaction);
	for (uint32_t i = 0; i < order->n_components; i++) {
		control_show_component(&order_components(order)[i]);
	}
}

/* Told and false: the name stood for another machine before, or that cannot be known. */
static bool control_machine_is_known(
        const struct options *options, const char *name, const struct order_manifest *order)
{
	_cleanup_(ctl_freep) char *keys = command_keys(options);
	_cleanup_(ctl_freep) char *path = known_path(keys);
	_cleanup_(ctl_freep) char *where = NULL;
	unsigned int line;

	switch (known_check(path, name, order->machine_id, &line)) {
	case KNOWN_SAME:
		return true;
	case KNOWN_NEW:
		fprintf(stderr, "luctl: machine %s is new to this keyring: noted in %s\n", name,
		        path);
		return true;
	case KNOWN_OTHER:
		where = ctl_format("%s:%u", path, line);
		ctl_fail(CTL_TRUST, where, "if the machine was recreated, remove this line",
		        "the order is for another machine than the one that was called %s before",
		        name);
		return false;
	case KNOWN_NAMED:
		where = ctl_format("%s:%u", path, line);
		ctl_fail(CTL_TRUST, where, "if the machine has another name now, remove this line",
		        "the order is for a machine that has another name here than %s", name);
		return false;
	case KNOWN_BAD:
	case _KNOWN_N:
		break;
	}
	where = line ? ctl_format("%s:%u", path, line) : ctl_format("%s", path);
	ctl_fail(CTL_TRUST, where, "correct the line (NAME and 32 hex digits), or remove it",
	        "cannot find out which machine is %s: %s", name,
	        line ? "the line is damaged" : strerror(errno));
	return false;
}

/* The machine is the one that was named. */
static bool control_is_machine(const struct options *options, const Control__Request *asked,
        const Control__Proposal *said, const struct order_manifest *order)
{
	const char *named = intent_machine(asked);

	if (*named && strcmp(named, said->machine) != 0) {
		ctl_fail(CTL_TRUST, "order", "look into lud's log",
		        "lud proposes an order for machine %s, and %s was named", said->machine,
		        named);
		return false;
	}
	return control_machine_is_known(options, said->machine, order);
}

/* Told and false: it is not what was asked for. */
static bool control_is_asked(const Control__Request *asked, const struct order_manifest *order)
{
	const char *refusal = intent_refusal(asked, order, (uint64_t)time(NULL));

	if (refusal) {
		ctl_fail(CTL_TRUST, "order",
		        "do not give this lud a control key before it is known why",
		        "the order that lud proposes was not signed: %s", refusal);
	}
	return !refusal;
}

/*
 * Whether the order consents to no other pairing than the one that is shown. What lud says is
 * lost is lud's word; the id is that of the two state descriptions (`luforge pair` prints it).
 */
static bool control_consent_is_shown(
        const struct order_manifest *order, const Control__Proposal *said)
{
	static const uint8_t none[64];

	for (uint32_t i = 0; i < order->n_components; i++) {
		const uint8_t *consent = order_components(order)[i].consent;

		if (!memcmp(consent, none, sizeof(none))) {
			continue;
		}
		if (!said->pairing || said->pairing->id.len != sizeof(none) ||
		        memcmp(said->pairing->id.data, consent, sizeof(none))) {
			return false;
		}
	}
	return true;
}

/*
 * What would be lost, as lud says it. The pairing id is the part that is signed; who wants to
 * be sure compares it with that of `luforge pair`.
 */
static void control_show_loss(const Control__Proposal *proposal)
{
	char id[TEXT_SIZE];

	if (proposal->pairing) {
		fprintf(stderr, "luctl: from release %u to release %u, as lud says:\n",
		        proposal->pairing->from_counter, proposal->pairing->to_counter);
		pairing_print(stderr, "luctl: ", proposal->pairing, PAIRING_LOSS);
		fprintf(stderr, "luctl: consenting to pairing %s\n",
		        text_id(&proposal->pairing->id, id));
	}
}

/* Shows what is asked for and signs it; told and false: it is not signed. */
static bool control_agree(const struct options *options, const Control__Request *asked,
        const Control__Progress *news, struct envelope_signature *ret_signature)
{
	_cleanup_(control_key_freep) struct keyring_key *key = NULL;
	_Alignas(8) uint8_t bytes[SIGNER_ORDER_MAX];
	const struct order_manifest *order = (const struct order_manifest *)bytes;
	size_t len = news->proposal->order.len;

	if (control_open(options, &key) != CTL_OK) {
		return false;
	}
	memcpy(bytes, news->proposal->order.data, len <= sizeof(bytes) ? len : 0);
	if (len > sizeof(bytes) || keyring_control_sign(key, bytes, len, ret_signature) != 0) {
		ctl_fail(CTL_TRUST, "order", "use the luctl of lud's version",
		        "lud proposed something that is not an order");
		return false;
	}
	if (!control_is_asked(asked, order)) {
		return false;
	}
	if (!control_consent_is_shown(order, news->proposal)) {
		ctl_fail(CTL_TRUST, "order", "look into lud's log, and at `luforge pair`",
		        "the proposed order consents to another pairing than the one that lud "
		        "shows");
		return false;
	}
	if (!control_is_machine(options, asked, news->proposal, order)) {
		return false;
	}
	control_show(order, news->proposal->machine);
	control_show_loss(news->proposal);
	return true;
}

bool control_sign(
        const struct options *options, const Control__Request *asked, const Control__Progress *news)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__JobSignRequest sign = CONTROL__JOB_SIGN_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	struct envelope_signature signature;
	struct options quiet = *options;
	const Control__Reply *reply;
	bool signed_here;

	quiet.json = false;
	quiet.request_id = ""; /* that of what is signed */
	sign.job = news->job;
	signed_here = control_agree(options, asked, news, &signature);
	if (signed_here) {
		sign.key_id.data = signature.key_id;
		sign.key_id.len = sizeof(signature.key_id);
		sign.signature.data = signature.sig;
		sign.signature.len = sizeof(signature.sig);
	} else {
		/* Ends the job: it would wait for a signature that does not come. */
		sign.refusal = "luctl did not sign the order";
	}
	request.body_case = CONTROL__REQUEST__BODY_JOB_SIGN;
	request.job_sign = &sign;
	(void)command_call(&quiet, &request, NULL, NULL, &client, &reply);
	return signed_here;
}
