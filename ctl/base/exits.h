#pragma once
/*
 * How luctl ends on what lud says: the table of proto/words/exits.def, by the name and the class of a cause and by the
 * end of a job.
 */
#include "ctl/base/base.h"
#include "proto/control/control.pb-c.h"

/* Of an error that lud answers with. A class that only a newer lud knows is CTL_FAILED. */
enum ctl_exit exits_of_error(const Wire__Error *error);

/*
 * Of a job by its state. Where nothing was begun its cause may say it more exactly: what does not exist, what is
 * not trusted, who is not reached, which word of the command line is none. An open job is CTL_OK: nobody waits for it. A state that only a newer lud knows is
 * CTL_INCONSISTENT, never success.
 */
enum ctl_exit exits_of_job(const Control__Job *job);
