#pragma once
/* The second signature of a variant, for machines that keep no kits; see second.c. */
#include "orchestrator/job/core/job.h"
#include "proto/envelope/signer.h"

/* Whether the job's machine, by its last status, takes what two keys have signed. */
bool second_is_needed(const struct job *job);
/* Fills in what the second signer is to sign: the manifest that the first one has. */
void second_manifest(const struct signer_part *first, struct signer_variant *ret);
/* What to do about a refusal of the second signer. */
const char *second_remedy(const struct signer_reply *reply);
/* Puts two signatures under one manifest. False: ret_failure says why they are not two. */
bool second_join(const struct signer_part *first, const struct signer_part *second,
        struct signer_part *ret_both, struct failure *ret_failure);
