#pragma once
/* What the signer's log says of a request. */
#include "keyring/signer/signer.h"

/* The line of an answered request, without its time; "" for what needs none. */
void note_write(const struct signer_request *request, const struct signer_reply *reply,
        char ret_note[SIGNER_NOTE_SIZE]);
