#pragma once
/* Requests that a signer of the keyring in keyring/test/ring.h accepts, and a look at its answers. */
#include "keyring/signer/signer.h"

void ask_variant(struct signer_request *ret_request);
/* An order of one update; of one service. */
void ask_order(struct signer_request *ret_request);
/* As ask_order(), with a layout that the machine makes, and its kit. */
void ask_made(struct signer_request *ret_request);
/* A statement of one service. */
void ask_statement(struct signer_request *ret_request);

/* Parts of a request. */
struct order_manifest *ask_order_of(struct signer_request *request);
struct order_component *ask_component_of(struct signer_request *request);
struct statement_manifest *ask_statement_of(struct signer_request *request);

/* Root, what is between, and what the signer made, as RS would see them at a time. */
enum envelope_reason ask_verify(const struct signer *s, enum envelope_kind kind,
        const struct signer_request *request, const struct signer_reply *reply, uint64_t time);
