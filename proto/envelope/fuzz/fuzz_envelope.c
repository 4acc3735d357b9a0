/*
 * Envelopes as raw bytes, and good ones of each kind with patches: an input that
 * starts with an even byte is a list of {offset, offset, value} written over a sample.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/envelope/sample.h"

static struct sample samples[_ENVELOPE_KIND_N];
static struct trust trust;
static _Alignas(8) uint8_t bytes[2 * ENVELOPE_SIZE_MAX];

static void prepare(struct sample *sample, enum envelope_kind kind)
{
	struct envelope_view view;

	sample_init(sample, kind);
	sample_sign(sample);
	if (envelope_open(sample->bytes, sample->len, &view) != ENVELOPE_OK) {
		abort();
	}
	for (unsigned int i = 0; i < view.n_parts; i++) {
		((uint8_t *)(uintptr_t)view.part[i].signatures[0].sig)[0] = 0;
	}
	if (envelope_verify(&view, &trust) != ENVELOPE_OK) {
		abort();
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	sample_trust(&trust);
	for (int kind = ENVELOPE_OF_VARIANT; kind < _ENVELOPE_KIND_N; kind++) {
		prepare(&samples[kind], (enum envelope_kind)kind);
	}
	return 0;
}

static size_t patch(unsigned int which, const uint8_t *data, size_t size)
{
	const struct sample *sample =
	        &samples[ENVELOPE_OF_VARIANT + which % (_ENVELOPE_KIND_N - ENVELOPE_OF_VARIANT)];

	memcpy(bytes, sample->bytes, sample->len);
	for (; size >= 3; data += 3, size -= 3) {
		bytes[(data[0] | data[1] << 8) % sample->len] = data[2];
	}
	return sample->len;
}

/* Follow everything the view promises. */
static unsigned int touch(const struct envelope_view *view)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < view->n_parts; i++) {
		for (size_t j = 0; j < view->part[i].manifest_len; j++) {
			sum += view->part[i].manifest[j];
		}
		for (unsigned int j = 0; j < view->part[i].n_signatures; j++) {
			sum += view->part[i].signatures[j].sig[63];
		}
	}
	if (view->kind == ENVELOPE_OF_VARIANT) {
		sum += (unsigned int)strlen(view->kit->service) + view->kit->targets[0][0];
	}
	if (view->kind == ENVELOPE_OF_ORDER && view->order->n_components > 0) {
		const struct order_component *last =
		        &order_components(view->order)[view->order->n_components - 1];

		sum += (unsigned int)(strlen(last->service) + strlen(last->state));
	}
	if (view->kind == ENVELOPE_OF_STANDING && view->standing->n_services > 0) {
		sum += (unsigned int)strlen(
		        standing_services(view->standing)[view->standing->n_services - 1].service);
	}
	return sum;
}

/* What must hold for everything that is believed. */
static int is_right(const struct envelope_view *view)
{
	switch (view->kind) {
	case ENVELOPE_OF_VARIANT:
		return memcmp(view->variant->machine_id, trust.machine_id, 16) == 0 &&
		       strcmp(view->variant->service, view->kit->service) == 0;
	case ENVELOPE_OF_ORDER:
		return view->order->boot_id == trust.boot_id &&
		       view->order->epoch == view->root->serial &&
		       (!order_needs_control(view->order) || view->part[1].n_signatures >= 2);
	case ENVELOPE_OF_STATEMENT:
		return view->statement->root_serial == view->root->serial;
	case ENVELOPE_OF_TIME:
		return view->time->nonce == trust.time_nonce;
	case ENVELOPE_OF_KIT:
		return view->kit->flat_len > 0;
	case ENVELOPE_OF_STANDING:
		return view->standing->boot_id == trust.boot_id &&
		       view->standing->epoch == view->root->serial &&
		       view->standing->expires - view->standing->issued <= STANDING_LIFE_SEC_MAX;
	case _ENVELOPE_KIND_N:
		break;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope_view view;
	size_t len;

	if (size < 1 || size > sizeof(bytes)) {
		return 0;
	}
	if (data[0] % 2 == 0) {
		len = patch(data[0] / 2, data + 1, size - 1);
	} else {
		len = size - 1;
		memcpy(bytes, data + 1, len);
	}
	if (envelope_open(bytes, len, &view) == ENVELOPE_OK) {
		volatile unsigned int sum = touch(&view);

		(void)sum;
		if (envelope_verify(&view, &trust) == ENVELOPE_OK && !is_right(&view)) {
			abort();
		}
	}
	return 0;
}
