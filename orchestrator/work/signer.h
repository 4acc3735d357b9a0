#pragma once
/*
 * lud's side of the signer process: started when it is first needed, asked by
 * fixed-layout requests over its pipes, started anew after it died. lud never sees
 * a private key.
 */
#include <event2/event.h>

#include "host/base/err.h"
#include "host/base/failure.h"
#include "host/child/user.h"
#include "proto/envelope/signer.h"

struct signer_client;

/* failure is NULL and reply the answer, or reply is NULL. Both live until return. */
typedef void (*signer_fn)(
        const struct failure *failure, const struct signer_reply *reply, void *arg);

int __must_check signer_client_new(struct event_base *base, const char *program, const char *keys,
        const struct child_user *user, struct signer_client **ret_client);
/*
 * A second signer, which is not started by lud but listens at a socket: connected to for each run of
 * requests. What is sent, and answered, is the same.
 */
struct signer_client *signer_client_second(struct event_base *base, const char *socket);
/* Takes NULL, returns NULL. */
struct signer_client *signer_client_free(struct signer_client *client);

/*
 * Queues a request (its magic and id are filled in) and calls fn exactly once,
 * later. What was copied of the request is wiped when it is answered.
 */
void signer_client_ask(struct signer_client *client, const struct signer_request *request,
        signer_fn fn, void *arg);
/* The same, with the flat kit that follows the request for a variant; it is the signer client's from here on. */
void signer_client_ask_with(struct signer_client *client, const struct signer_request *request,
        uint8_t *flat, signer_fn fn, void *arg);
/* The callbacks of requests with this arg will not be called. NULL: there is no such signer. */
void signer_client_forget(struct signer_client *client, const void *arg);
/* What a person can do about a refusal: of a reply whose status is not SIGNER_OK. */
const char *signer_remedy(const struct signer_reply *reply);
