#pragma once
/* Requests that change what services run, as the options say them; their texts are the options' own. */
#include "ctl/cmdline/cmdline.h"
#include "proto/control/control.pb-c.h"

Control__UpdateRequest update_request(const struct options *options);
Control__RollbackRequest rollback_request(const struct options *options);
Control__RerandomizeRequest rerandomize_request(const struct options *options);
