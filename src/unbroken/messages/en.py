"""Every sentence of the library in English; the same keys stand in every language."""

SENTENCES: dict[str, str] = {
    # Parts of any sentence
    "comma": ", ",
    "semicolon": "; ",
    # Disk and cache
    "disk_full": (
        "No space left to write {path} ({free} free on its disk). What was there before is intact; free some space "
        "and try again."
    ),
    "disk_write_failed": (
        "Cannot write {path}: {reason}. What was there before is intact; check the folder and its disk, then try again."
    ),
    "disk_sync_failed": (
        "{path} was changed, but the disk did not confirm it ({reason}) and a power cut may undo it; check the disk "
        "(dmesg), then save again."
    ),
    "disk_keep_failed": (
        "{path} was saved, but the state before it could not be kept as {previous}: {reason}. Check the folder and "
        "its permissions."
    ),
    "disk_read_failed": "Cannot read {path}: {reason}. Check that it exists, its permissions and its disk.",
    "disk_not_a_file": "{path} is not a regular file; name the file itself.",
    "disk_copy_differs": (
        "The copy {path} differs from {source} when read back, and was not kept; check the disk it was written to "
        "(dmesg), or copy to another."
    ),
    "disk_move_failed": "Cannot move {path}: {reason}. It is still where it was; check the folder and its permissions.",
    "disk_exists": (
        "Cannot move {path} to {destination}: that name is taken, and nothing is ever overwritten; choose another name."
    ),
    "disk_remove_failed": "Cannot remove {path}: {reason}. Check the folder and its permissions.",
    "disk_folder_failed": "Cannot create the folder {path}: {reason}. Choose a folder you may write to.",
    "disk_not_a_folder": "{path} is a file, not a folder; move it away or choose another folder.",
    "disk_space_short": (
        "Not enough space in {path}: {needed} needed, {free} free. Free some space, delete old checkpoints (unbroken "
        "prune), or choose another disk."
    ),
    "disk_space_unknown": (
        "Cannot find out the free space of {path}: {reason}. Check the path and that its disk is mounted."
    ),
    "disk_lock_failed": "Cannot open the lock {path}: {reason}. Check that you may write to its folder.",
    "disk_lock_unsupported": (
        "The file system of {path} does not support locks: make sure that only one training run uses this folder."
    ),
    "folder_locked": (
        "{path} is in use by another training run (pid {pid} on {host}, since {started}); wait for it to end or stop "
        "it, or choose another folder."
    ),
    "folder_locked_here": (
        "{path} is already in use by a run in this same process; close that run first or choose another folder."
    ),
    "cache_reused": "Preprocessed data reused from {path} ({count:|array|arrays}, {size}).",
    "cache_built": "Data preprocessed and cached in {path} ({count:|array|arrays}, {size}).",
    "cache_returned": (
        "The cache set aside earlier as {aside} fits again: it is back as {path}, nothing was preprocessed."
    ),
    "cache_outdated": (
        "The cache {path} was made from other data or parameters ({changes}) and is not used; it will be kept as "
        "{aside}, delete it when you no longer need it."
    ),
    "cache_damaged": (
        "The cache {path} is damaged ({reason}) and is not used; it will be kept as {aside}, delete it when you no "
        "longer need it."
    ),
    "cache_foreign": (
        "{path} does not say which data it was made from and is not used; it will be kept as {aside}, delete it when "
        "you no longer need it."
    ),
    "cache_not_written": "The preprocessed data could not be cached, training goes on from memory: {reason}",
    "cache_reason_content": "its content does not match its digest",
    "cache_reason_expands": (
        "its zip directory claims {claimed} in a file of {size}, or it is compressed, which a cache written here never "
        "is"
    ),
    "cache_reason_structure": "not a whole npz file: {detail}",
    "cache_key_unusable": "The key of the cache {path} must be made of text, numbers, lists and mappings: {detail}.",
    "cache_array_unusable": (
        "{name} cannot be cached in {path}: {detail}. Return named arrays of numbers, text or dates."
    ),
    "cache_not_a_file": "The cache {path} is a folder or device; name a file.",
    # Store
    "store_empty": (
        "{path} was not loaded: the file is empty (0 bytes). unbroken list shows which other checkpoints there are."
    ),
    "store_zeros": (
        "{path} was not loaded: the file holds zeros where data should be, as after a power cut or a failed disk. "
        "unbroken list shows which other checkpoints there are."
    ),
    "store_truncated": (
        "{path} was not loaded: the file is cut off or overwritten at its end (it has {size:|byte|bytes}), as by an "
        "interrupted copy or a full disk. unbroken list shows which other checkpoints there are."
    ),
    "store_crc": (
        "{path} was not loaded: the bytes of {member} have changed since they were written (checksum mismatch). "
        "unbroken list shows which other checkpoints there are."
    ),
    "store_layout": (
        "{path} was not loaded: its zip structure is damaged ({detail}). unbroken list shows which other checkpoints "
        "there are."
    ),
    "store_local_header": (
        "{path} was not loaded: the zip header of {member} is damaged. unbroken list shows which other checkpoints "
        "there are."
    ),
    "store_member_outside": (
        "{path} was not loaded: {member} claims bytes that are not its own, or lie outside the file. unbroken list "
        "shows which other checkpoints there are."
    ),
    "store_duplicate_member": (
        "{path} was not loaded: it holds {member} twice; torch never writes such a file, do not trust it. unbroken "
        "list shows which other checkpoints there are."
    ),
    "store_compressed": (
        "{path} was not loaded: {member} is compressed or encrypted; torch never writes such a file (was it zipped "
        "again?). unbroken list shows which other checkpoints there are."
    ),
    "store_not_torch": (
        "{path} was not loaded: it is not a file written by torch.save. unbroken list shows which other checkpoints "
        "there are."
    ),
    "store_legacy": (
        "{path} was not loaded: it has the format of torch before 1.6. If you trust it, open it with torch.load and "
        "write it again with torch.save."
    ),
    "store_global": (
        "{path} was not loaded: it wants to call {detail}, which no checkpoint needs and which could run any code. "
        "Nothing was run; do not trust the file."
    ),
    "store_numpy": (
        "{path} was not loaded: it holds a NumPy object ({detail}), which torch.load(weights_only=True) does not "
        "open either. Where it was written, save numbers with float(x) and arrays with torch.from_numpy(x)."
    ),
    "store_unsupported": (
        "{path} was not loaded: it holds a {detail}, which is not plain training state. Where it was written, save "
        "state_dict() and plain tensors, numbers, text, lists and dicts."
    ),
    "store_opcode": (
        "{path} was not loaded: its pickle holds an instruction that torch.save does not write for plain state "
        "({detail}). Nothing was run; save plain tensors, numbers, text, lists and dicts."
    ),
    "store_pickle": (
        "{path} was not loaded: its pickle is not one of plain state ({detail}). unbroken list shows which other "
        "checkpoints there are."
    ),
    "store_storage": (
        "{path} was not loaded: it claims more tensor data than it holds ({detail}). unbroken list shows which other "
        "checkpoints there are."
    ),
    "store_tensor": (
        "{path} was not loaded: it claims a tensor larger than its data ({detail}). unbroken list shows which other "
        "checkpoints there are."
    ),
    "store_torch_refused": (
        "{path} was not loaded: the file is whole, but this version of torch does not open it ({reason}). unbroken "
        "list shows which other checkpoints there are."
    ),
    "store_not_a_dict": (
        "{path} was not loaded: it holds a {kind}, not a dict of training state. unbroken list shows which other "
        "checkpoints there are."
    ),
    "store_keys_missing": (
        "{path} was not loaded: it is not a training checkpoint, these keys are missing: {keys}. unbroken list shows "
        "which other checkpoints there are."
    ),
    "store_keys_wrong": (
        "{path} was not loaded: these keys do not hold what a checkpoint must: {keys}. unbroken list shows which "
        "other checkpoints there are."
    ),
    "store_format_newer": (
        "{path} was not loaded: it was written by a newer version of this library (format {found}; this one reads up "
        "to {known}). Upgrade with: pip install -U unbroken"
    ),
    "store_not_regular": (
        "{path} was not loaded: it is not a regular file (but a pipe, a device, a socket or a link to nothing). "
        "unbroken list shows which other checkpoints there are."
    ),
    "store_link_outside": (
        "{path} was not loaded: it is a link that leads out of its folder. If you trust {target}, give that path "
        "itself, or put a copy of it in the link's place."
    ),
    "store_link_nowhere": (
        "{path} was not loaded: it is a link to {target}, which is not there (is its disk mounted?). unbroken list "
        "shows which other checkpoints there are."
    ),
    "store_link_undecided": (
        "{path} is a link out of its folder to {target}, which may be the newest state; nothing was changed. Put a "
        "copy of that file in the link's place to go on with it, or remove the link to go on without it."
    ),
    "store_is_folder": (
        "{path} is a folder, not a checkpoint. Give a .pth file in it, or leave the path out to resume from the newest."
    ),
    "store_read_error": (
        "{path} was not loaded: the disk cannot read all of it ({reason}); check the disk (dmesg). unbroken list "
        "shows which other checkpoints there are."
    ),
    "store_unreadable": "Cannot read {path}: {reason}. Check its permissions and its disk.",
    "store_verified_unwritable": (
        "When these files were verified can't be noted in {path}: {reason}. unbroken list won't show it."
    ),
    "store_folder_unreadable": "Cannot look into {path}: {reason}. Check its permissions and its disk.",
    "store_folder_unwritable": (
        "Cannot write into {path}: {reason}. Checkpoints could not be saved there; fix its permissions or choose "
        "another folder."
    ),
    "store_no_file": (
        "Nothing to resume from: {path} does not exist. {folder} holds: {found}. Give one of these, or leave the "
        "path out to resume from the newest."
    ),
    "store_no_checkpoints": (
        "Nothing to resume from: {path} does not exist, and there is no .pth file in {folder}. Check that you are in "
        "the right folder, or start training first."
    ),
    "store_no_folder": (
        "Nothing to resume from: {path} does not exist, and neither does the folder {folder}. Check that you are in "
        "the right folder, or start training first."
    ),
    "store_folder_link": (
        "{path} is a link to {target}, which is not there: is its disk mounted? Mount it, or remove the link."
    ),
    "store_not_a_folder": (
        "{path} is a file, not a folder of checkpoints. Give the folder; to look into a checkpoint: unbroken show FILE"
    ),
    "store_refused": (
        "{path} was not loaded: the system gives this process no more memory or open files ({reason}). The file is "
        "not at fault; raise the limits (ulimit -v, ulimit -n, the job's memory) and run the same command again."
    ),
    "store_all_damaged": (
        "No checkpoint in {folder} can be loaded ({count} tried): restore one from a backup, or move the damaged "
        "files away to start afresh. The first of them: {first}"
    ),
    "store_several_runs": (
        "{folder} holds checkpoints of several runs and does not say which is yours: {runs}. Choose one with "
        "--resume PATH, or move the others away."
    ),
    "store_save_failed": "The state could not be saved to {path}: {reason}. The checkpoints saved before are intact.",
    "cli_not_exportable": "{name} ({kind}) cannot be written to a safetensors file; the format has no such tensors.",
    "store_unsavable": (
        "{name} is a {kind}, which no safe checkpoint can hold; convert it to a tensor, number, text, list or dict."
    ),
    "store_not_resumable": (
        "What would be saved here could not be resumed from: {keys}. Training stops here, so that nothing is trained "
        "in vain; please report this, with the versions of the installed packages."
    ),
    "store_two_dtypes": (
        "The same memory is seen as {old} and as {new} by two tensors: a torch file can't hold that. Save a copy of "
        "one: tensor.clone()"
    ),
    "store_tangled": "The state cannot be saved: {detail}. Flatten the containers in it.",
    # State: what cannot be saved
    "state_unsavable": (
        "{path} is a {type}, which no safe checkpoint can hold; keep it as tensors, arrays, numbers, text, lists or "
        "dicts of these."
    ),
    "state_object_array": (
        "{path} is a numpy array of Python objects, which no safe checkpoint can hold; give it a numeric dtype."
    ),
    "state_too_deep": "{path} is nested more than {depth} levels deep, or contains itself; save something flatter.",
    "state_lazy_parameter": "{path} has no shape yet; run one batch through the model before tracking it.",
    "state_tensor_subclass": (
        "{path} is a {type}, a tensor class of its own that no safe checkpoint can hold; keep it as a plain "
        "torch.Tensor."
    ),
    "state_tensor_kind": (
        "{path} is a tensor of kind {type}, whose values cannot be saved; make it an ordinary tensor first."
    ),
    "state_named_timezone": (
        "{path} is a time in a named time zone, which would not come back the same; convert it to UTC."
    ),
    "state_get_failed": "The state of '{name}' cannot be read: {detail}. Repair its state_dict(), or do not track it.",
    "state_bad_encoding": (
        "The checkpoint holds a value at {path} that this version cannot read ({detail}); it is damaged, or was "
        "written by a newer version."
    ),
    "state_class_gone": (
        "The checkpoint holds a {name} at {path}, but the program no longer has that class; bring it back under that "
        "name."
    ),
    # State: what cannot be tracked
    "state_bad_name": (
        "'{name}' cannot be the name of something tracked: it is no identifier, or a checkpoint uses it itself; "
        "choose another."
    ),
    "state_name_taken": "'{name}' is tracked already; give the second object a name of its own.",
    "state_tracked_twice": "'{name}' is the same object as '{other}', which is tracked already; track it once.",
    "state_not_trackable": (
        "'{name}' is a {type}, which has no state_dict() and load_state_dict() and cannot be filled in place; give it "
        "both, or keep the values in run.local({name}=...)."
    ),
    "state_attributes_trackable": (
        "'{name}' is a {type}, which has no state_dict() and load_state_dict(); give it both, or track its attributes, "
        "which are filled in place: run.track({name}=vars({name}))."
    ),
    "state_frozen": (
        "'{name}' is a {type}, a frozen dataclass, which training cannot change; give settings to Run(config=...), and "
        "keep a value that is replaced by another in run.local({name}=...)."
    ),
    "state_not_taken_back": (
        "'{name}' refuses the state that it gives itself: {detail}. A resume would fail: repair its state_dict() and "
        "load_state_dict(), or keep the values in run.state."
    ),
    "state_other_than_given": (
        "'{name}' is not the same after its own state was loaded into it: {path} differs. A resume would not be exact: "
        "repair its state_dict() and load_state_dict(), or keep the values in run.state."
    ),
    "state_says_nothing": (
        "'{name}' is a {type} with an empty state_dict(): nothing of it will be in a checkpoint. Give it a "
        "state_dict() that has its values, or keep them in run.state."
    ),
    # State: what does not fit
    "state_architecture": (
        "The model is not the one that was saved: {differences}. Build the same model again, or start a new run with "
        'resume="never".'
    ),
    "drift_gone": "{path} {old} is gone",
    "drift_new": "{path} {new} is new",
    "drift_other": "{path} {old} → {new}",
    "drift_ties": "{paths} share their values with other parameters than before",
    "drift_groups": "optimizer '{name}' has other parameters or groups: {paths}",
    "state_tensor_missing": "{path} {old} is missing",
    "state_tensor_new": "{path} {new} is new",
    "state_tensor_differs": "{path} {old} → {new}",
    "state_tensor_changed": (
        '{path} is not what was saved: {old} → {new}. Build it again as it was, or start a new run with resume="never".'
    ),
    "state_names_changed": (
        "The tracked objects are not those that were saved: not in the checkpoint: {absent}; in the checkpoint only: "
        '{dropped}. Track the same objects under the same names, or start a new run with resume="never" (with the '
        "weights of this one: run.start_from(path, strict=False))."
    ),
    "state_kind_changed": (
        "What was saved as '{name}' is not the state of a {new}; track the same object under that name as before."
    ),
    "state_optimizer_parameters": (
        "Optimizer '{name}' has other parameters than were saved: missing: {missing}; new: {new}. Give it the same "
        'parameters, or start a new run with resume="never".'
    ),
    "state_optimizer_groups": (
        "Optimizer '{name}' has other parameter groups than were saved: no group holds just {names}. Group the "
        'parameters as before, or start a new run with resume="never".'
    ),
    "state_optimizer_sizes": (
        "Optimizer '{name}' has groups of {new:|parameter|parameters}, the checkpoint of {old}; build it with the "
        "same groups."
    ),
    "state_optimizer_shape": (
        "{path} has shape {old}, its parameter {new}: the optimizer's parameters are in another order than when they "
        "were saved, and this file has no names; build the optimizer with its parameters in the original order."
    ),
    "state_optimizer_broken": (
        "The state of optimizer '{name}' in the checkpoint is not that of an optimizer; resume from another checkpoint."
    ),
    "state_load_failed": (
        "'{name}' refused the state that was saved for it: {detail}. Build it as it was then, or start a new run "
        'with resume="never".'
    ),
    "state_not_restored": (
        "{path} did not come back as it was saved: its load_state_dict() changes or ignores it. Build the object as "
        "it was then, or repair its load_state_dict()."
    ),
    "state_gradient_homeless": (
        "The checkpoint holds a gradient of {name}, which nothing tracked has; track the same objects as before."
    ),
    "state_class_changed": (
        "'{name}' was a {old} when it was saved, and is a {new} now; build a {old} as before, or start a new run "
        'with resume="never".'
    ),
    "state_buffer_homeless": (
        "The checkpoint holds the buffer {path}, for which the model has no place; build the model as it was then, "
        'or start a new run with resume="never".'
    ),
    # State: what is said on the way
    "state_attributes_lost": (
        "A resume will not bring these back as they are now, since no checkpoint can hold them: {paths}. Keep them "
        "as tensors, numbers, text, or lists and dicts of these, or track the object by a name of its own."
    ),
    "state_attributes_trained": (
        "These attributes are not as the program builds them, and no checkpoint has them: {paths}. Training has "
        "changed them since the save, in this process; build the objects anew to go on exactly."
    ),
    "state_attributes_homeless": (
        "These attributes were saved, and nothing is there to take them: {paths}. They are as they were built; build "
        "the objects as they were at the save."
    ),
    "state_optimizer_asleep": (
        "The optimizer '{name}' ({kind}) takes no steps any more, while its parameters change: what trains them is "
        "not tracked, and a resume would not have its state. Track the optimizer that is used, from the start."
    ),
    "state_attribute_overruled": (
        "{path}: built with {built}, goes on with {saved} as saved. To have another value from here on, set it "
        "inside the loop."
    ),
    "state_left_as_built": "The checkpoint holds no state for {names}: it starts as it was built.",
    "state_not_taken": "The checkpoint also holds the state of {names}, which is not tracked: it is not used.",
    "state_functions_changed": (
        "These functions, or values that they hold or name, are not what they were at the save; training goes on with "
        "the new: {paths}. A value that training changes belongs in run.local."
    ),
    "state_groups_added": (
        "Optimizer '{name}' was given parameters in the course of the run, and is given them again: {names}"
    ),
    "state_frozen_restored": "requires_grad of {count:|parameter|parameters} was set as it was at the save: {names}",
    # State: history
    "state_bad_metric": (
        "'{name}' cannot be the name of a metric: it is no identifier, or a checkpoint uses it itself; choose another."
    ),
    "state_metric_both_ways": "'{name}' was given to average() and to record() in one epoch; use one of them.",
    "state_not_scalar": "Metric '{name}' is a {type}, not one number; reduce it first, with .mean() for example.",
    "state_bad_weight": (
        "The weight of an average must be a number of at least 0, not {weight}; the batch size is a good one."
    ),
    "state_bad_mode": 'best_mode must be "max" or "min", not {mode!r}.',
    "state_history_longer": (
        "History '{name}' has {found} values for {epoch} completed epochs; the first {epoch} are kept."
    ),
    # State: guards
    "state_data_changed": (
        "The data are not those of the run: it was trained on {old}, now it is {new} "
        "({count:|file differs|files differ}). Use the same data, or go on with these by allow_changed_data=True "
        "(--allow-changed-data)."
    ),
    "state_data_count": (
        "The data are not those of the run: {old:|file|files} then, {new} now; the first only on one side is {extra}. "
        "Use the same data, or go on with these by allow_changed_data=True (--allow-changed-data)."
    ),
    "state_data_other": "{old} → {new} ({count:|file differs|files differ})",
    "state_data_other_count": "{old:|file|files} → {new}; the first only on one side is {extra}",
    "state_data_unreadable": "The data file {path} cannot be read: {detail}. Check the path given as data=.",
    "state_change": "{setting}: {old} → {new}",
    "state_absent": "(absent)",
    # Loop
    "stream_damaged": (
        "The checkpoint holds an invalid random state ({detail}): it is damaged, or from another version of Python, "
        "NumPy or torch. Resume from another checkpoint: unbroken list shows which there are."
    ),
    "other_accelerators": (
        "The checkpoint has the random streams of {saved:|GPU|GPUs}, and this machine has {here}: those that both have "
        "are restored; what is drawn on others is not as it would have been."
    ),
    "bad_start": "start={value} is neither 0 nor 1: epochs are counted from one of them.",
    "other_kind_of_loop": (
        "Before the interruption the loop here was of another kind: run.steps where it is run.batches now, or the "
        "other way round. Go on with the loop it was, or start a new run in another folder."
    ),
    "bad_duration": "{option}={value!r} is not a duration above zero; write for example '90s', '10min' or '1.5h'.",
    "bad_count": "{option}={value!r} is not a whole number of 1 or more.",
    "keep_best_of_what": "keep_best= needs best=, the recorded metric that tells which epochs are best.",
    "bad_seed": "seed={value} is not a whole number from -2**63 to 2**64 - 1.",
    "not_a_loader": (
        "run.batches takes a torch.utils.data.DataLoader, not a {loader}. For batches made by hand, or none at all: "
        "for step in run.steps(n), and make them inside that loop; else wrap your dataset in a DataLoader."
    ),
    "fabric_loader": (
        "run.batches takes a torch.utils.data.DataLoader, not what fabric.setup_dataloaders makes of it ({loader}). "
        "Give run.batches the loader itself, and move each batch in the loop: batch = fabric.to_device(batch)."
    ),
    "web_loader": (
        "run.batches takes a torch.utils.data.DataLoader, not a {loader} around one. Build one from the same dataset, "
        "which batches by .batched(n): torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=...)."
    ),
    "accelerate_accumulates": (
        "Accelerate accumulates gradients over {steps:|batch|batches}, and counts them in the program, so that a "
        "resume between them would not be exact. Take the batches in such groups: run.batches(loader, group={steps}), "
        "with a loader that accelerator.prepare has returned."
    ),
    "loader_exact": (
        "Exact at any batch: a resume loads nothing again that was trained. Checked: the first batch, loaded twice, "
        "was the same ({batches:|batch|batches} per epoch, {workers:|worker|workers})."
    ),
    "loader_not_repeatable": (
        "NOT EXACT inside an epoch: the first batch, loaded twice, was not the same. {dataset}, or the collate "
        "function, keeps a state of its own that Unbroken does not know. Draw from python, numpy or torch, hold "
        "generators in attributes, or resume from checkpoints at the end of an epoch only, if that state is then as it "
        "was at the start."
    ),
    "ahead_does_not_fit": (
        "The checkpoint keeps the order of {kept:|sample|samples} to come, which does not fit a dataset of {samples}; "
        "use the same data as before, or resume from a checkpoint at the end of an epoch."
    ),
    "loader_changed": (
        "The loader is not the one from before: {fact} {old} → {new} (length: batches of an epoch; samples: of the "
        "dataset; sampler: what draws the order). Training goes on with the new one, and takes another course unless "
        "the loop makes a new loader in every epoch anyway."
    ),
    "samples_changed": (
        "The checkpoint is inside an epoch over {old:|sample|samples}, but the dataset now has {new}; use the same "
        "data as before, or resume from a checkpoint at the end of an epoch."
    ),
    "compiled_for_two_shapes": (
        "The model is compiled, and the last batch of an epoch is smaller: a resumed process may meet the two shapes "
        "in another order, compile other graphs, and differ in the last bits. Exact with drop_last=True, or with "
        "torch.compile(model, dynamic=False)."
    ),
    "loader_replayed_iterable": (
        "An IterableDataset has no positions: exact at any batch, by loading again what was loaded before in the "
        "epoch, if every pass over it begins anew and depends on python, numpy and torch only; a resume compares it "
        "({batches:|batch|batches} per epoch, {workers:|worker|workers}; their number must stay the same)."
    ),
    "dataset_keeps_draws": (
        "{dataset} draws random numbers when a sample is loaded for the first time, and none when it is loaded again: "
        "it keeps what it drew. A restart begins without that and draws others, so a resume is not exact in later "
        "epochs. Draw anew each time, or have all of it drawn before the run begins (one pass over the dataset)."
    ),
    "dataset_counts": (
        "A pass over {dataset} changes it ({changed}), and a restart begins with it as built. If its samples or their "
        "order depend on that, a resume in a later epoch is not exact: let them depend on the epoch, which the loop "
        "tells it (a set_epoch of its own), or on python, numpy and torch only."
    ),
    "loader_replayed_subclass": (
        "This DataLoader iterates in a way of its own: resumed by iterating it again from the start of the epoch, "
        "exact if its order comes from python, numpy or torch ({batches:|batch|batches}, {workers:|worker|workers})."
    ),
    "loader_subclass_persistent": (
        "{loader} iterates in a way of its own and keeps its workers between epochs, so their random state cannot be "
        "restored; set persistent_workers=False."
    ),
    "generators_not_all_searched": (
        "{dataset} holds too many objects to search them all for random generators of its own; one that was not "
        "found is not set by position: let it draw from python, numpy or torch, or hold the generator in an "
        "attribute."
    ),
    "workers_changed": (
        "This loader ran with {old:|worker|workers} before and has {new} now, and its order depends on that; set "
        "num_workers back to {old}."
    ),
    "order_changed": (
        "The sampler {sampler} now gives another order than before the interruption (epoch {epoch}, first "
        "{batch:|batch|batches}); it depends on something that is not saved. Resume from a checkpoint at the end of "
        "an epoch."
    ),
    "next_order_changed": (
        "The sampler gives batch {batch} of epoch {epoch} other samples than it had before the interruption; the "
        "dataset, the sampler or the library that draws the order has changed. Go back to them, or resume from a "
        "checkpoint at the end of an epoch."
    ),
    "counting_sampler_twice": (
        "This loader's sampler counts how often it is iterated, and epoch {epoch} iterates it beside or after "
        "another loop; give it to the first loop of the epoch only."
    ),
    "other_loop_leads": (
        "The checkpoint was made in loop {old} over a loader in this epoch, but now loop {new} asks for the first "
        "batch; resume from a checkpoint at the end of an epoch, or run the script as it was."
    ),
    "loader_out_of_order": (
        "This DataLoader has in_order=False: the order of its batches depends on which worker is faster, so no "
        "resume can be exact; drop in_order=False."
    ),
    "sampler_not_repeatable": (
        "Two copies of the sampler {sampler} give different orders from the same random state (does it draw from the "
        "system, or the clock?), so its order cannot be restored; let it draw from torch, numpy or random."
    ),
    "sampler_uncheckable": (
        "The sampler {sampler} cannot be copied to check that its order is repeatable ({error}); make it copyable "
        "with copy.deepcopy, or use a sampler of torch.utils.data."
    ),
    "epoch_length_changed": (
        "The checkpoint is inside an epoch of {old:|batch|batches}, but the loader now has {new}; use the same batch "
        "size and data as before, or resume from a checkpoint at the end of an epoch."
    ),
    # Loop: variables
    "variables_lost": (
        "These variables of the loop are not what they were at the save: {names} ({where}). The program has "
        "initialized them again, so what depends on them is not exact in this resume; those that the loop sets again "
        "before it reads them do no harm. Keep them in the run, as local = run.local({first}=...) before the loop and "
        "local.{first} in it: what is saved from then on includes them."
    ),
    "globals_lost": (
        "These variables of the loop are not what they were at the save: {names} ({where}). The program has "
        "initialized them again, so what depends on them is not exact in this resume; those that the loop sets again "
        "before it reads them do no harm. Keep them in the run, as run.local(globals(), {first}={first}) before the "
        "loop: what is saved from then on includes them."
    ),
    "objects_lost": (
        "These objects of the loop have a state, are not tracked, and are not what they were at the save: {names} ("
        "{where}). The program has created them again, so what depends on them is not exact in this resume; those that "
        "the loop sets again before it uses them do no harm. Track them, as run.track({first}={path}): what is saved "
        "from then on includes them."
    ),
    "generators_lost": (
        "These random generators, which functions of the loop hold, are not tracked, and are not where they were at "
        "the save: {names} ({where}). The program has created them again, so what depends on them is not exact in this "
        "resume; those that are seeded again before they are drawn from do no harm. Make each a variable of the "
        "script, and track it, as run.track({first}={first}): what is saved from then on includes them."
    ),
    "bindings_lost": (
        "These names of the loop do not stand for what they stood for at the save: {names} ({where}). Training has set "
        "them to another function or object, and the program began with the first again, so this resume is not exact; "
        "no loss are those that the loop sets before it uses them. Set each by run.epoch, run.step or a variable in "
        "run.local where every resume passes, as if run.epoch >= 5: {path} = ..."
    ),
    "tracked_rebound": (
        "{path} no longer is the {kind} that is tracked as '{name}': training has bound it to another value. What is "
        "saved is the tracked one, which stays as it was, so a restart would not have what was trained. Fill it in "
        "place (tensor.copy_, dict.update, list[:] = ...), or keep it in the run, as local = run.local({name}=...) "
        "before the loop and local.{name} in it."
    ),
    "settings_lost": (
        "These settings of the process are not what they were at the save: {names} ({where}). Training has changed "
        "them, and they began anew with the program, so this resume is not exact. Set each by run.epoch, run.step or a "
        "variable in run.local where every resume passes, as if run.epoch >= 5: ..."
    ),
    "hooks_lost": (
        "These modules or parameters have not the hooks that they had at the save: {names} ({where}). Training has "
        "registered or removed hooks, and they began anew with the program, so this resume is not exact. Do it by "
        "run.epoch, run.step or a variable in run.local where every resume passes, as if run.epoch >= 5: ..."
    ),
    "formats_lost": (
        "These parameters do not lie in memory as they did at the save: {names} ({where}). Training has given them "
        "another memory format, and other kernels have other last bits, so this resume is not exact. Convert the model "
        "before the loop, or by run.epoch where every resume passes, as "
        "if run.epoch >= 5: model.to(memory_format=torch.channels_last)"
    ),
    "feeding_lost": (
        "These attributes of what the batches are loaded with are not what they were at the save: {names} ({where}). "
        "Training has set them, and they began anew with the program, so this resume is not exact. Track tensors, "
        "lists and dicts that are filled in place, as run.track({first}={path}); set others by run.epoch, run.step or "
        "a variable in run.local where every resume passes, as if run.epoch >= 5: {path} = ..."
    ),
    "iterators_lost": (
        "These iterators of the loop are not where they were at the save: {names} ({where}). The program has created "
        "them again, so what is drawn from them is not exact in this resume. Take the batches of a loader through "
        "run.batches, also of several at a time (zip), choose from a list by run.step, and keep what a generator "
        "function counts in run.local."
    ),
    # Run
    "not_restorable": (
        "{path} was not loaded, its contents cannot be restored: {reason} unbroken list shows which other checkpoints "
        "there are."
    ),
    "started": "Training from the start; the state is kept in {folder}.",
    "resumed_at_step": "Resumed from {path} (saved {timestamp}): goes on after step {step}.",
    "resumed": "Resumed from {path} (saved {timestamp}): goes on in epoch {epoch}, {batch} of its batches done.",
    "resumed_at_start": "Resumed from {path} (saved {timestamp}): begins with epoch 1; nothing was trained by then.",
    "resumed_between": "Resumed from {path} (saved {timestamp}): goes on after epoch {done}, step {step}.",
    "complete": "Complete: nothing to train. {done} of {count:|epoch|epochs} were done before; {latest} has the state.",
    "complete_steps": (
        "Complete: nothing to train. {done} of {goal:|step|steps} were done before; {latest} has the state."
    ),
    "missing_behind_loop": (
        "The loop has nothing left to run, so these names, which the code after it reads, do not exist: {names} ("
        "{where}). What is needed after the last epoch belongs in run.local."
    ),
    "fell_back": "{path} is damaged and was set aside as {aside}; going on from the newest good one. Why: {reason}",
    "store_superseded": (
        "{path} was not written: another training process has started in this folder since ({record} counts them) and "
        "has taken over the run. End this process."
    ),
    "stateful_hook": (
        "{module}: its DistributedDataParallel has a communication hook with a state of its own ({kind}), which "
        "no checkpoint has. Use a hook without one, such as fp16_compress_hook, or none."
    ),
    "uneven_batches": (
        "Inside join() the ranks may take different numbers of batches, and no step is common to all. Leave "
        "join() out: the batches of run.batches are divided evenly."
    ),
    "replayed_by_all": (
        "All {size:|process|processes} have trained the steps after the last save again, {steps} or more, each bit for "
        "bit as before."
    ),
    "ranks_apart": (
        "Rank {rank} is at {here} where rank 0 is at {first}, and each would wait for the other. All ranks have "
        "to make the same calls of the run and leave its loops alike: no run.batches and no break on one rank "
        "only. What one rank does alone (validation, a plot), it does with a plain DataLoader."
    ),
    "ranks_at_begin": "the beginning of the run",
    "ranks_at_loader": "the first batch of a loader",
    "ranks_at_boundary": "a boundary between steps",
    "ranks_at_epoch": "the start or end of an epoch",
    "ranks_at_save": "a save",
    "ranks_at_stop": "a stop",
    "ranks_at_end": "the end of the run",
    "ranks_steps": (
        "The ranks have done different numbers of steps, {least} to {most}, and would save states of different "
        "moments. Take the same number of batches on each rank."
    ),
    "wrapped_twice": (
        "Two DistributedDataParallel have the same parameters ({name}), and which of them is which can't be told after "
        "a restart. Wrap a model once, before the run begins."
    ),
    "group_destroyed": (
        "The process group was destroyed before the run was closed, and its last state is not saved. Call "
        "run.close() (or leave `with run:`) before destroy_process_group()."
    ),
    "buckets_refused": (
        "DistributedDataParallel could not be made to repeat its first backward passes as they were when this state "
        "was saved, so the next steps would not be the same bit for bit: {reason}"
    ),
    "no_process_group": (
        "This process is one of {count} (WORLD_SIZE), and they have no process group yet. Call "
        'torch.distributed.init_process_group("gloo") or ("nccl") before the run begins, or unset WORLD_SIZE.'
    ),
    "rank_lost": (
        "Rank {rank}: another process of this run is gone; what was saved last is whole. Start the same command again "
        "to go on from there. What torch says: {reason}"
    ),
    "rank_lost_again": (
        "Rank {rank}: another process did not meet the others after this restart; what was saved last is whole. "
        "Set TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 before torchrun: without it a restart meets the addresses of the "
        "processes that have died. Then start the same command again. What torch says: {reason}"
    ),
    "rank_waits": (
        "Rank {rank} has waited {seconds} s at {here} for other processes (the time-out of the process group is "
        "{patience} s). A rank that says no such thing is elsewhere: it does something long alone (a validation), "
        "or hangs."
    ),
    "rank_late": (
        "Rank {rank} is at {here}, and another process did not come there within the time-out of the process group "
        "({patience} s); what was saved last is whole. If it hung, start the same command again. If it does something "
        "long alone (a validation on rank 0), give init_process_group a longer timeout=. All have to make the same "
        "calls of the run, run.begin and a run.save behind an epoch too. What torch says: {reason}"
    ),
    "on_rank": "On rank {rank}: {error}",
    "ranks_diverged": (
        "{tensor} on rank {rank} differs from that on rank 0: the ranks have diverged, and this state is not saved. "
        "Look for what one rank does and the others do not (a step skipped, weights changed without "
        "DistributedDataParallel), or for a faulty machine; the same command goes on from the last state saved."
    ),
    "resized": (
        "Saved by {saved_by:|process|processes}, continued by {size}: the same global batches in the same order, each "
        "sample with the same bits; sums over the ranks and random layers such as dropout are no longer the same bits. "
        "run.state and run.local of added processes begin as rank 0's, and those of processes that are gone are lost."
    ),
    "resized_in_accumulation": (
        "This state was saved in the middle of an accumulation by {saved_by:|process|processes}, each with gradients "
        "of its own, and {size} can't go on with them. Start {saved_by:|process|processes} again; with group= saves "
        "fall between accumulations only."
    ),
    "arrivals_do_not_fit": (
        "{module}: its DistributedDataParallel had parameters that are not there now: {names}. Build the model as it "
        "was, or start afresh in another folder."
    ),
    "ranks_unlike": (
        "The ranks were not started alike: {what} is {here} on rank {rank} and {first} on rank 0. Start all with the "
        "same script and arguments."
    ),
    "ranks_built_unlike": (
        "{tensor} has other values on rank {rank} than on rank 0. Wrap the model in DistributedDataParallel before "
        "the run begins, or call torch.manual_seed with the same number on all ranks before it is built."
    ),
    "sharded": (
        "{name} holds a different part on each rank ({kind}), and only copies that are the same on all ranks can be "
        "saved and resumed so far. Use DistributedDataParallel with an ordinary optimizer."
    ),
    "ranks_other_samples": (
        "By step {step} rank {rank} had been given other samples than rank 0, so they would train different models. "
        "Draw the order alike on all ranks: one seed, and the same calls."
    ),
    "wrapped_late": (
        "A model was wrapped in DistributedDataParallel after the run had begun, too late to be resumed bit for bit. "
        "Wrap it before run.begin(), before the loop, and before `with run:`."
    ),
    "recorded_unlike": (
        "Other ranks gave run.record other values for {names}; those of rank 0 count. For a mean over all ranks use "
        "run.average."
    ),
    "batch_too_small": (
        "Batch {batch} has {count:|sample|samples} for {size:|process|processes}. Give the DataLoader drop_last=True, "
        "or a batch_size that leaves enough samples for the last batch."
    ),
    "other_replicas": (
        "The DistributedSampler is made for {replicas} replicas as rank {rank}; this is rank {this} of {size}. Make "
        "it without num_replicas and rank, after init_process_group."
    ),
    "batch_not_divided": (
        "A loader with batch_size=None gives batches that {size:|process|processes} can't divide among themselves. "
        "Give it a batch_size, or a DistributedSampler."
    ),
    "batch_not_divisible": (
        "A global batch of {count:|sample|samples} can't be divided by {size:|process|processes}. It can by: {fitting}."
    ),
    "not_divisible": (
        "{kind} gives its samples one after the other, so {size:|process|processes} can't divide them and go on "
        "exactly. Use a map-style dataset, or train in one process."
    ),
    "uneven_rest": (
        "The last batch of an epoch has {count:|sample|samples}, which {size:|process|processes} cannot share evenly: "
        "there the gradient weighs each process alike, not each sample. drop_last=True leaves it out."
    ),
    "samples_unlike": (
        "The same index gives another sample on rank {rank} than on rank 0: the ranks have data of their own, most of "
        "which would never be trained on. Give every rank the whole dataset; its parts are made here, or by a "
        "DistributedSampler."
    ),
    "batch_divided": "{whole:|sample|samples} a step, {each} on each of {size:|process|processes}",
    "loader_unlike": (
        "The loaders of the ranks are not alike: {fact} is {here} on rank {rank} and {first} on rank 0. Give all "
        "ranks the whole dataset: their parts are made here, or by a DistributedSampler."
    ),
    "sampler_unlike": (
        "The DistributedSampler of rank {rank} has {fact}={here}, that of rank 0 {fact}={first}. Make it alike on all "
        "ranks: each takes its own part of one order."
    ),
    "processes_changed": (
        "This loader's sampler gives each process samples of its own, and the state was saved by "
        "{old:|process|processes}, not {new}. Start as many again (None: its batches were divided then), or use a "
        "DistributedSampler."
    ),
    "setting_overruled": (
        "{setting}: built with {new}, goes on with {in_force} as saved. To have the new value from here on, call "
        "run.keep_built({name}) before the loop."
    ),
    "setting_changed": (
        "{setting}: {old} → {new}, as built now and as asked for by run.keep_built; goes on with {in_force}. An "
        "intended change: from here on training takes another course."
    ),
    "seed_overruled": (
        "seed: given {new}, goes on with {old}: a run keeps its first seed. Another seed needs another run: another "
        "folder, or resume='never'."
    ),
    "schedule_refuses": (
        "'{name}' ends after {horizon:|step|steps} ({done} done), and {epochs:|epoch takes|epochs take} about "
        "{steps}: torch refuses the step after that with a ValueError. Build it for all of them, and call "
        "run.keep_built('{name}') before the loop."
    ),
    "schedule_climbs": (
        "'{name}' is at its lowest after {horizon:|step|steps} ({done} done), and {epochs:|epoch takes|epochs take} "
        "about {steps}: the learning rate climbs again then. Build it for all of them, and call "
        "run.keep_built('{name}') before the loop."
    ),
    "schedule_rests": (
        "'{name}' ends after {horizon:|step|steps} ({done} done), and {epochs:|epoch takes|epochs take} about "
        "{steps}: the learning rate stays at its last value then. Build it for all of them, and call "
        "run.keep_built('{name}') before the loop."
    ),
    "schedule_at_zero": (
        "'{name}' has brought the learning rate to 0, and {epochs:|epoch is|epochs are} to be trained: nothing more "
        "is learnt if it stays there. Build it for all of them, and call run.keep_built('{name}') before the loop."
    ),
    "keep_built_unknown": (
        "keep_built({name!r}) names nothing that is tracked; it takes a tracked optimizer or scheduler, or one of: "
        "{known}."
    ),
    "keep_built_whole": "keep_built({name!r}): a schedule is kept as a whole; write run.keep_built({owner!r}).",
    "keep_built_failed": (
        "run.keep_built({name!r}): '{name}' as built now cannot be brought to where the saved one was: {detail}. Build "
        "it for all the steps there are, or leave keep_built out."
    ),
    "keep_built_too_late": "keep_built({names}) came after the run had begun; call it before the loop over run.epochs.",
    "link_passed_over": (
        "{path} is a link that cannot be used, and was left as it is; going on from the newest good state. Why: "
        "{reason}"
    ),
    "request_goes_on": (
        "A resume from {path} was begun before and has not ended: going on from its newest state, {newest}. To go back "
        "to {path} once more, resume from a copy under another name: cp {path} {copy}"
    ),
    "request_gone": "{path} is no longer there; a resume from it was begun before: going on from its newest state.",
    "former_run_archived": (
        "The folder held a run at epoch {epoch} (+{batch:|batch|batches}); it was moved to {archive}. To go on with "
        "it, resume from the newest file there: --resume {newest}."
    ),
    "damaged_run_archived": "The folder held checkpoints of which none can be read; they were moved to {archive}.",
    "former_run_unfinished": "That run was NOT finished: {epoch} of {planned:|epoch|epochs} were done.",
    "requeue_resumes": "{counter} says this job was started again: resuming instead of starting over.",
    "retired": "Moved aside, as this run now goes on from an older state: {path}",
    "plain_checkpoint": (
        "{path} was not written by Unbroken: it has no random streams, data order or parameter names. Goes on from "
        "its epoch; exact resumes begin with the next save."
    ),
    "data_change_allowed": "Going on with other data, as asked: {change}",
    "best_anew": (
        "The best so far ({metric} {value}, epoch {epoch}) is from the former data; with these the best is judged "
        "anew, from the next epoch on."
    ),
    "config_changed": "Parameter {change}",
    "environment_more": "{count} more",
    "environment_changed": ("Environment: {changes} (bit-for-bit equality is promised on the same environment only)"),
    "deleted_by_policy": "Deleted by the retention policy: {name}",
    "ended_steps": "Done: {done} of {goal:|step|steps}.",
    "replay_exact": (
        "Replayed {steps:|step|steps} after step {after}, bit for bit as before the interruption. Compared: {what}."
    ),
    "replay_of_other_tensors": (
        "Replayed {steps:|step|steps} after step {after}: as before the interruption in what was compared: {what}. "
        "What is tracked was not compared, since it has other tensors than then: another shape, name or dtype, one "
        "that was not there, or a buffer that shared the memory of another. This resume may not be exact."
    ),
    "replay_of_streams": (
        "Replayed {steps:|step|steps} after step {after}: as before the interruption in what was compared: {what}. "
        "None of that was computed by the training: nothing tracked was seen to change. Track the model, if it is not "
        "tracked, or give run.average a number."
    ),
    "replay_without_step": (
        "Replayed {steps:|step|steps} after step {after}: as before the interruption in what was compared: {what}. "
        "No tracked optimizer took a step in them, as between the steps of an accumulation, and nothing tracked "
        "changed: no result of the training was compared."
    ),
    "replay_what_order": "sample order",
    "replay_what_batch": "content of the batches",
    "replay_what_python": "python's random stream",
    "replay_what_numpy": "numpy's random stream",
    "replay_what_torch": "torch's random stream",
    "replay_what_average": "averages",
    "replay_what_state": "what is tracked (small tensors whole, large ones by pieces)",
    "replay_nothing": (
        "Nothing to compare this resume with: no step was trained after step {after}, where its state was saved."
    ),
    "replay_no_journal": (
        "Nothing to compare this resume with: there is no journal of the steps after step {after} (another folder, "
        "or it was deleted)."
    ),
    "replay_journal_older": (
        "Nothing to compare this resume with: the journal of the steps after step {after} was written by an older "
        "version; the next resume has one of this version."
    ),
    "replay_differs_changed": (
        "The steps trained again differ from step {step} on, in {streams}. What changed since explains it: "
        "{changes}. This resume is not bit for bit the run that was interrupted."
    ),
    "next_batch_differs": (
        "THE DATA DIFFER at step {step}: its batch does not have the content that it had before the interruption, so "
        "this resume is not exact. Something in the dataset or collate function keeps a state of its own: draw from "
        "python, numpy or torch, or track the generator. To resume without it, go back to a checkpoint at the end of "
        "an epoch."
    ),
    "next_batch_changed": (
        "The batch of step {step} does not have the content that it had before the interruption. What changed since "
        "may explain it: {changes}. This resume is not exact."
    ),
    "counted_anew": (
        "{kind} over run.batches begins at 0 again, though {done:|batch was|batches were} done before (epoch "
        "{epoch}): what it counts, or where it ends, is not what it was. Count by run.batch (in the epoch) or "
        "run.step, or begin where it is: enumerate(run.batches(loader), run.batch)."
    ),
    "zipped_anew": (
        "zip takes a {kind} beside run.batches, which begins anew, though {done:|batch was|batches were} done before "
        "(epoch {epoch}): what it gives is not what it was, so this resume is not exact. Take the batches of each "
        "loader through run.batches, and choose anything else by run.batch (in the epoch) or run.step."
    ),
    "epoch_ends_as_before": (
        "Epoch {epoch} ends after {batches:|batch|batches}, as the epochs before it did, though its loader has "
        "{length}: it was resumed inside, where a loop that counts for itself (islice, zip, enumerate) would begin "
        "again. To end it elsewhere, use run.batch."
    ),
    "epoch_of_other_length": (
        "Epoch {resumed}, which was resumed inside, took {batches:|batch|batches}, and epoch {other} {others}: does "
        "its loop count from 0 again (islice, zip with a plain loader, a counter by hand)? Then this is not what an "
        "uninterrupted run does; count by run.batch, or give the length to the loader itself."
    ),
    "csv_step": "run.log_csv writes the column step itself; give the value another name.",
    "csv_not_ours": (
        "{path} is no CSV of run.log_csv (its first column is not step), and is left as it is; choose another name."
    ),
    "nothing_tracked": (
        "Nothing is tracked, so no weights are saved, and a resume begins with new ones; call run.track(model=model, "
        "optimizer=optimizer) before the loop."
    ),
    "best_not_recorded": (
        "best={metric!r} was not recorded in epoch {epoch} (recorded: {recorded}), so no best checkpoint is kept."
    ),
    "bad_resume": (
        "resume={value!r} is none of 'auto' (go on if there is a run), 'never' (start over) or the path of a "
        "checkpoint."
    ),
    "track_unnamed": "track needs a name for each object: run.track(model=model, optimizer=optimizer).",
    "replay_differs": (
        "REPLAY DIFFERS at step {step} in {streams}: this resume is not exact. What differs tells where to look: "
        "order = sampler; batch = dataset or collate function; python, numpy, torch = a random stream drawn from "
        "elsewhere; average = the computation; state = weights, buffers or optimizer (something that is not saved "
        "went into them)."
    ),
    "no_journal": "No journal for the replay proof ({error}); training goes on without it.",
    "steps_inside_epochs": (
        "run.batches(loader, steps=...) is for use without a loop over run.epochs; leave out steps inside one."
    ),
    "loader_gives_nothing": (
        "The loader gave no batch at all, so the goal in steps can't be reached; check its dataset and sampler."
    ),
    "saved": "Saved {names} ({size}, {seconds} s)",
    "save_failed": "SAVING FAILED for {names}: {error} Training goes on; the next save tries again.",
    "state_no_room": (
        "The saved state was not restored: the system gives this process no more memory ({reason}). No file is at "
        "fault or was changed; raise the limit (ulimit -v, the job's memory) and run the same command again."
    ),
    "state_not_copied": "The state could not be copied: {reason}",
    "interrupted_saved": "Stopped by the interrupt; the state is safe in {latest}. Run the cell again to go on.",
    "left_run_gone": (
        "The state of this run is no longer in {folder}, and what is in memory is half an epoch: build model and "
        "optimizer anew, and make a new Run."
    ),
    "stopped_saved_resume": (
        "Stopped on {cause}; the state is safe in {latest}. Resume from it to go on: this command, run again "
        "unchanged, starts over."
    ),
    "stop_heard": "{signal} received: once the step in hand is done, the run stops with its state saved.",
    "stop_heard_interrupt": (
        "{signal} received: once the step in hand is done, the run stops with its state saved. A second Ctrl-C ends it "
        "at once, and saves nothing."
    ),
    "stopped_saved": (
        "Stopped on {cause}; the state is safe in {latest}. Run the same command again (or resume) to go on."
    ),
    "stopped_unsaved": "Stopped on {cause}, and the last state could NOT be saved: {error}",
    "ended": "Done: {done} of {count:|epoch|epochs}.",
    "ended_steps_on_purpose": (
        "Ended on purpose after step {step} ({reason}): complete, nothing is left to train. To go on all the same: "
        "unbroken.Run(..., resume='{latest}')."
    ),
    "ended_on_purpose": (
        "Ended on purpose after epoch {epoch}, step {step} ({reason}): complete, nothing is left to train. To go on "
        "all the same: unbroken.Run(..., resume='{latest}')."
    ),
    "place_epoch": "epoch {epoch}",
    "place_step": "step {step}",
    "left_early": (
        "The loop was left in {place} before its end; {latest} has the last saved state; the same command goes "
        "on from there. To end a run on purpose, call run.stop(reason)."
    ),
    "left_by_error": (
        "{error} in {place}: the run is interrupted; {latest} has the last saved state. Once the cause is fixed (until "
        "then it may happen again), the same command goes on from there."
    ),
    "left_early_resume": (
        "The loop was left in {place} before its end; {latest} has the last saved state. Resume from it to go on: this "
        "command, run again unchanged, starts over. To end a run on purpose, call run.stop(reason)."
    ),
    "left_by_error_resume": (
        "{error} in {place}: the run is interrupted; {latest} has the last saved state. Once the cause is fixed, "
        "resume from it to go on: this command, run again unchanged, starts over."
    ),
    "signals_unavailable": (
        "Not in the main thread: stop signals cannot be caught, so a SIGTERM ends this process without a last save."
    ),
    "local_too_late": (
        "run.local({names}) came after the run had begun; call it before the loop over run.epochs, so that a resume "
        "can restore it."
    ),
    "local_declared_twice": "run.local already has '{name}'; give each name once, with the value of a fresh start.",
    "local_bad_name": (
        "'{name}' cannot be a name in run.local; it must be an identifier that does not begin with two underscores."
    ),
    "local_undeclared": (
        "run.local has no '{name}'; it has: {names}. Declare it before the run begins: run.local({name}=...)."
    ),
    "local_not_globals": (
        "The first argument of run.local has to be globals(), written so, in the module that has these variables: "
        "{names}. Variables of a function are kept as attributes: local = run.local(NAME=...), and local.NAME in the "
        "loop."
    ),
    "local_of_a_function": (
        "'{name}' is a variable of the function {function}, which globals() does not have, so it would not come back; "
        "keep it as an attribute, local = run.local({name}=...) and local.{name} in the loop, or make it global there."
    ),
    "local_not_deleted": "local.{name} cannot be deleted, or a resume would have it again; set it to None.",
    "local_is_for_track": (
        "{path} is a {type}, which has a state of its own; track it, as run.track({name}=...), and keep only plain "
        "values here."
    ),
    "local_shares_memory": (
        "{path} shares its memory with the tracked {owner}, and would change with it; keep a copy: .clone() of a "
        "tensor, copy.deepcopy(...) of a state_dict."
    ),
    "local_fields_changed": (
        "{path} was saved as a {name} with the fields {fields}, and the class has others now; give it the same fields, "
        'or start a new run with resume="never".'
    ),
    "local_new": (
        "These names of run.local are not in the checkpoint: {names}. They begin with the values given, so what "
        "depends on them may differ from a run that had them from its start."
    ),
    "local_gone": "These names are in the checkpoint and in no run.local any more, and were left out: {names}.",
    "local_homeless": (
        "These values were part of something tracked that is not there any more, and were left as they are: {names}."
    ),
    "local_graphs": (
        "These tensors had a graph behind them at the save, which no checkpoint holds: {names}. Their values are back; "
        "the resume is exact if they are detached before they are used. Keep them detached: "
        "{first} = tensor.detach()."
    ),
    "local_elsewhere": "These tensors were on a device that is not there, and are on the CPU now: {names}.",
    "start_too_late": (
        "run.start_from({path!r}) came after the run had begun; call it after run.track and before the loop over "
        "run.epochs."
    ),
    "start_untracked": (
        "run.start_from names what is not tracked: {names}; tracked so far: {tracked}. Call run.track first, and write "
        "tracked_name='name in the file'."
    ),
    "start_twice": (
        "run.start_from was called before for the same objects ({names}); of several calls each has to name other ones."
    ),
    "start_not_in_file": "{path} has no {names}; it has: {there}. Give one of these names.",
    "start_nothing_there": "{path} has no state_dict in it that a run could start from.",
    "start_refused": (
        "{path} does not fit what is tracked, and nothing was taken. In the file only: {left}. Tracked, and not in the "
        "file or of another shape: {missing}. To take what fits, give strict=False; to take some objects only, name "
        "them, as run.start_from(path, model='model')."
    ),
    "start_passed_over": "The run goes on from a state of its own, so nothing was taken from {path}.",
    "started_from": "A new run that starts from {path}:",
    "start_taken": "  taken    {name} ({count}) from {source}",
    "start_cast": "  cast     {path}",
    "start_left": "  left     {path}",
    "start_missing": "  missing  {path}",
    "state_key_not_text": "A key of run.state must be text, not {key}.",
    "bad_path": "{option}={value!r} is not a path; write text or a pathlib.Path, such as 'checkpoints'.",
    "bad_config": (
        "config= takes a dictionary of the run's parameters, not {kind}; of an argparse.Namespace give vars(args)."
    ),
    "run_was_left": (
        "This Run was left in the middle of epoch {epoch}, so what is in memory is half an epoch; make a new Run "
        "(build model and optimizer anew, too): it goes on from the last save."
    ),
    "run_is_closed": "This Run has been closed; make a new one: it goes on from the last save.",
    "track_too_late": "track({names}) came after the run had begun; track everything before the loop over run.epochs.",
    "batches_ahead": (
        "The loop takes batches ahead of training, by {count} (epoch {epoch}): each counts as trained when the next is "
        "taken, so a resume inside an epoch leaves out those that were waiting, and is not exact. Take each batch when "
        "the one before is trained; the DataLoader loads ahead by num_workers= and prefetch_factor=."
    ),
    "batches_in_a_thread": (
        "run.batches is iterated in another thread than the loop around it: what it gives would count as trained "
        "before it is, and a save or a stop would fall in the middle of a step. Iterate it in the thread that trains; "
        "the DataLoader loads ahead by num_workers= and prefetch_factor=."
    ),
    "batches_outside_epochs": (
        "run.batches is for use inside a loop over run.epochs: for epoch in run.epochs(n): for batch in "
        "run.batches(loader): ... (or without one, with a goal: run.batches(loader, steps=n))."
    ),
    # Saving
    "drift": (
        "FROM THIS SAVE ON A RESTART CANNOT LOAD THE STATE: what is tracked is no longer what was built before the "
        "loop: {differences}. To make it possible, make that change before the loop over run.epochs, in every start."
    ),
    "last_state_unsafe": (
        "THE LAST STATE IS NOT SAFE in {latest}: {error} It is tried again while the script goes on, and a last time "
        "at its end; make room meanwhile, or save what you need elsewhere (torch.save)."
    ),
    "ended_unsafe": (
        "The last state could NOT be saved: {error} The process ends with exit code 74. The state saved before it is "
        "what the next start goes on from."
    ),
    "safe_after_all": "The last state is safe after all, in {latest}.",
    "copy_failed": "The state is safe in {names}, but {missing} COULD NOT BE WRITTEN: {error}",
    "save_incomplete": "The state is safe in {names}, but what belongs to the save was not all done: {error}",
    "forecast_enough": "A checkpoint takes about {size}; {free} are free: room for all that this run keeps.",
    "forecast_later": (
        "A checkpoint takes about {size}; {free} are free: enough until the planned end (epoch {planned})."
    ),
    "forecast_far": "A checkpoint takes about {size}; {free} are free: enough for more than {epochs:|epoch|epochs}.",
    "forecast_full": (
        "THE DISK WILL BE FULL after epoch {epoch} of {planned}: a checkpoint takes about {size}, {free} are free in "
        "{folder}. Free some space, or keep fewer (keep=, keep_space=)."
    ),
    "bad_size": "{value} is no size; give bytes, or a number with a unit, such as 20GB or 512MiB.",
    "folder_made_again": (
        "{folder} (or .unbroken in it) was deleted or moved during the training; it was made again, and this save is "
        "in it. Checkpoints that were in it are no longer there."
    ),
    # Audit: what cannot be audited
    "audit_no_command_given": (
        "Say which command starts your script, after two dashes: unbroken audit -- python train.py"
    ),
    "audit_no_command": "{command} cannot be started: {reason}. Write the command as you type it in this folder.",
    "audit_path_outside": (
        "{path} is outside this folder, and the audit compares copies of this folder: name a path inside it."
    ),
    "audit_path_is_folder": "{path} is this folder itself, which holds the script too: name a path inside it.",
    "audit_folder_outside": (
        "The script keeps its checkpoints in {folder}, outside the copy that is audited; nothing was written there. "
        "Give unbroken.Run a relative path."
    ),
    "audit_folder_large": (
        "{path} holds {count:|file|files}, {size}, more than can be copied for every run: start the audit in the "
        "script's own folder, and keep data elsewhere."
    ),
    "audit_copy_failed": "{path} cannot be copied for the audit: {reason}",
    "audit_shared_changed": (
        "The script changed {path}, a large file that all runs share, so they cannot be compared (yours is "
        "untouched): let it write to another file."
    ),
    "audit_script_fails": (
        "The command ends with exit code {code} without being killed, so there is nothing to audit yet. It says: {said}"
    ),
    "audit_fails_in_a_copy": (
        "The audit runs the command in a copy of {folder}, and {path}, which lies outside it, is not found from "
        "there: it ends with exit code {code}. Start the audit in a folder that holds both, or give the script the "
        "absolute path. It says: {said}"
    ),
    "audit_whole_too_long": (
        "Whole runs of the script do not fit into {seconds} s: give --time more, or let the script train fewer epochs."
    ),
    "audit_needs_time": (
        "A whole run takes {seconds} s, and an audit is some five of them: give --time {minutes}min, or let the "
        "script train fewer epochs."
    ),
    "audit_nothing_to_compare": (
        "The script does not use unbroken.Run, so there is nothing to compare: name the file it ends with, and the "
        "folder of its checkpoints: --final FILE --checkpoints FOLDER"
    ),
    "audit_final_missing": "A whole run of the script left no {path}: name a file that it ends with.",
    "audit_final_unreadable": "{path} cannot be opened safely ({reason}), so it was compared as a whole.",
    "audit_no_kill": "The script ended before any kill, so nothing is proven: let it train longer.",
    "audit_no_resume": (
        "No kill came when there was a checkpoint (of torch, pickle, safetensors, npz or HDF5) and something left to "
        "train, so no resume was seen and nothing is proven: let it save earlier or train longer, name its folder "
        "(--checkpoints), or ask for more kills (--kills)."
    ),
    # Audit: progress
    "audit_stage_whole": "Whole run {number}, PYTHONHASHSEED={seed}",
    "audit_stage_kill": "Kill {number} of {total}: {kill}",
    "audit_stage_end": "Run on to the end",
    "audit_stage_kept": "Runs are kept in {path}",
    "audit_at": "epoch {epoch}, step {step}",
    "audit_kill_stop": "a stop signal inside an epoch",
    "audit_kill_again": "killed again, soon after a resume",
    "audit_kill_random": "killed at random",
    "audit_kill_before_first_save": "killed before the first save",
    "audit_kill_after_save": "killed right after a save",
    "audit_kill_in_save": "killed in a save",
    "audit_kill_epoch_end": "killed after an epoch's last batch, in its validation",
    # Audit: table
    "audit_column_run": "run",
    "audit_column_at": "at",
    "audit_column_took": "took",
    "audit_column_result": "result",
    "audit_row_whole": "whole, PYTHONHASHSEED={seed}",
    "audit_row_end": "run on to its end",
    "audit_row_step": "step {step}",
    "audit_row_epoch": "epoch {epoch}",
    "audit_row_begin": "before any step",
    "audit_outcome_reference": "what the others are compared with",
    "audit_outcome_same": "the same, bit for bit",
    "audit_outcome_differs": "DIFFERS",
    "audit_outcome_failed": "DOES NOT RESUME",
    "audit_outcome_not_resumed": "NOT RESUMED",
    "audit_outcome_unknown": "resumes; not comparable",
    # Audit: verdicts
    "audit_verdict_exact": (
        "EXACT. Killed {kills:|time|times} in {runs:|run|runs}, and at every step of every run all that is saved was, "
        "bit for bit, what it is without a kill."
    ),
    "audit_verdict_exact_files": (
        "EXACT. Killed {kills:|time|times} in {runs:|run|runs}, and each time the final file was, bit for bit, what "
        "it is without a kill. (What happened on the way was not compared: the script does not use unbroken.Run.)"
    ),
    "audit_verdict_differs": (
        "RESUMES, BUT DIFFERS. After a resume, training is no longer that of the run that was killed."
    ),
    "audit_verdict_not_deterministic": (
        "NOT DETERMINISTIC BY ITSELF. Two whole runs of the script, never killed, are not the same; no resume can "
        "make them so."
    ),
    "audit_verdict_does_not_resume": "DOES NOT RESUME. {why}",
    "audit_verdict_not_resumed": "NOT RESUMED. {why}",
    "audit_never_opened": (
        "Started again after a kill, it did not open any of the checkpoints that were there ({files}) and trained "
        "from the start: that it ends the same each time proves no resume. Let it load the newest one when it "
        "starts, and go on from the step in it; or let unbroken.Run do so."
    ),
    "audit_as_long": (
        "Started again after a kill, with {files} there, it trained as much as from the start: it took {seconds} s "
        "(a whole run {whole} s) and saved as often. Let it go on from the step in the checkpoint, not from the "
        "first; or let unbroken.Run do so."
    ),
    "audit_no_checkpoint": (
        "Started again after a kill, it trained from the start: none of what it writes ({files}) was read again, and "
        "none is a checkpoint (of torch, pickle, safetensors, npz or HDF5). Let it save its state and load it when "
        "it starts; or let unbroken.Run do so."
    ),
    "audit_restart_failed": (
        "Started again with the same command after a kill, it ended with exit code {code}. It says: {said}"
    ),
    "audit_starts_over": (
        "Started again after a kill, it began {run} afresh, though it had been at step {step}: is it started with "
        'resume="never", or in another folder each time?'
    ),
    "audit_too_long": "Started again after a kill, it had not ended after {seconds} s.",
    "audit_never_ends": "It was started {starts:|time|times} and stopped itself each time, before its end.",
    # Audit: findings
    "audit_first": "First difference",
    "audit_where": "in",
    "audit_is": "value",
    "audit_also": "there also",
    "audit_cause": "likely cause",
    "audit_remedy": "what to change",
    "audit_apart": "furthest apart at the end",
    "audit_on_rank": "on rank {rank}, {where}",
    "audit_at_step": "step {step} (epoch {epoch}, batch {batch})",
    "audit_at_epoch": "end of epoch {epoch} (step {step})",
    "audit_at_begin": "before the first step",
    "audit_at_resume": "in the state restored, before step {next}",
    "audit_at_end": "after the last step ({step})",
    "audit_at_final": "somewhere on the way; it shows in the final file",
    "audit_after_resume": "{where}, {steps:|step|steps} after the resume from step {from_step}",
    "audit_names": "{group}: {names}",
    "audit_names_more": "{group}: {names} and {count} more",
    "audit_values": "{got} (without a kill: {expected})",
    "audit_values_own": "{got} in one run, {expected} in the other",
    "audit_distance": "{path} by {difference}",
    "audit_group_seed": "the torch seed",
    "audit_group_order": "data order",
    "audit_group_data": "contents of the batches",
    "audit_group_stream": "random stream",
    "audit_group_history": "history",
    "audit_group_learning_rate": "optimizer settings (learning rate)",
    "audit_group_average": "loss",
    "audit_group_model": "model",
    "audit_group_optimizer": "optimizer",
    "audit_group_scheduler": "scheduler",
    "audit_group_other": "other state",
    "audit_group_state": "values in run.state",
    "audit_group_course": "number of steps",
    "audit_group_variable": "variable",
    # Audit: what is behind a difference after a resume
    "audit_cause_untracked": "{name} ({kind}, in {where}) is not tracked, so it starts anew at every resume.",
    "audit_remedy_track": "Track it: run.track({key}={name})",
    "audit_cause_not_restored": (
        "{name} does not come back as it was saved: what its state_dict() gives and its load_state_dict() takes is "
        "not all of it, or something changes it between its making and the first epoch."
    ),
    "audit_remedy_not_restored": (
        "Repair its state_dict() and load_state_dict(), and change nothing tracked between run.track and run.epochs."
    ),
    "audit_cause_variable": (
        "The same data, and something that is not saved enters the computation. What the code holds differently "
        "there: {variables}."
    ),
    "audit_remedy_variable": (
        'Keep {name} in run.state["{name}"], or use run.step, run.batch and run.epoch, which are saved.'
    ),
    "audit_cause_order": "The sampler's order depends on something that is not there again after a resume.",
    "audit_remedy_order": (
        "Let the sampler draw from torch, numpy or random only, and keep no state between epochs but set_epoch's."
    ),
    "audit_cause_data": (
        "The same samples in the same order, but other contents: the dataset, or a worker's copy of it, keeps "
        "something from sample to sample (a counter, a cache, a generator of its own) that starts anew at a resume."
    ),
    "audit_cause_data_held": (
        "The same samples in the same order, but other contents: the dataset keeps something from sample to sample "
        "that starts anew at a resume: {held}."
    ),
    "audit_remedy_data": (
        "Make what __getitem__ returns depend on its index, on set_epoch(epoch) and on torch, numpy and random alone."
    ),
    "audit_cause_stream": (
        "Something draws from this stream more often, or less, than in a run that is not killed: code that runs only "
        "at the start, only in some processes, or in another thread."
    ),
    "audit_remedy_stream": "Give such code a generator of its own, and track it if it draws during training.",
    "audit_cause_stream_held": (
        "Something draws from this stream more often, or less, than in a run that is not killed. What the code holds "
        "differently before that step, and may decide it: {variables}. (If it is none of these: code that runs only "
        "at the start, only in some processes, or in another thread.)"
    ),
    "audit_remedy_held": (
        'Keep {name} in run.state["{name}"], or give the object that holds it state_dict() and load_state_dict() and '
        "track it; what is fetched ahead of its step can be fetched at the beginning of it."
    ),
    "audit_cause_learning_rate": (
        "The optimizer's settings are set by something that is not saved: a scheduler that is not tracked, or a "
        "count of the code's own."
    ),
    "audit_remedy_learning_rate": (
        "Track the scheduler: run.track(scheduler=scheduler); compute from run.step and run.epoch, not from a count."
    ),
    "audit_cause_compiled": (
        "torch.compile made other graphs than in the whole run ({expected} by then, {got} here): which ones it makes "
        "depends on the shapes it meets first, and other graphs may give other last bits."
    ),
    "audit_remedy_compiled": (
        "Compile for one shape (drop_last=True) or for each of its own: torch.compile(model, dynamic=False). To be "
        "sure, audit once with TORCHDYNAMO_DISABLE=1 set: if it is exact then, the compiler is the cause."
    ),
    "audit_cause_average": "The same data, and another loss: something that is not saved enters its computation.",
    "audit_remedy_average": "Track every object whose state the loss depends on; keep numbers in run.state.",
    "audit_cause_model": (
        "The same data, and other weights: something that is not saved takes part in the update (accumulated "
        "gradients, a count of batches, an object that is not tracked)."
    ),
    "audit_remedy_model": "Track every object that takes part in the update; count with run.step and run.batch.",
    "audit_cause_optimizer": (
        "The optimizer goes another way than the model it belongs to: something that is not saved changes its state."
    ),
    "audit_remedy_optimizer": "Change the optimizer's state in the loop only, from values that are saved.",
    "audit_cause_scheduler": (
        "The scheduler is given something else than in a run that is not killed, or is stepped at other moments."
    ),
    "audit_remedy_scheduler": (
        "Step it once per epoch or batch, inside the loop, with values that come from tracked state."
    ),
    "audit_cause_other": "It is changed by something that is not saved.",
    "audit_remedy_other": "Track what it depends on, or keep it in run.state.",
    "audit_cause_state": "It is computed from something that is not saved.",
    "audit_remedy_state": "Compute it from tracked state, run.step and run.epoch.",
    "audit_cause_history": (
        "The same weights, and another metric: something that is not saved enters the validation, such as an average "
        "of the weights, or a stream of random numbers."
    ),
    "audit_remedy_history": "Track what the validation uses: run.track(ema=ema).",
    "audit_cause_course": (
        "When the training ends, or an epoch, is decided by something that is not saved, such as a count of epochs "
        "without improvement."
    ),
    "audit_remedy_course": 'Keep such counts in run.state, e.g. run.state["patience"].',
    "audit_cause_files": (
        "Of a script without unbroken.Run it is not known where the difference begins. Usual causes: the optimizer, "
        "the scheduler or a random stream is not saved or not loaded; the data order of the epoch starts anew; a "
        "save is not atomic."
    ),
    "audit_remedy_files": (
        "Let unbroken.Run keep the state (three lines), and audit again: it then names the step and the object."
    ),
    "audit_cause_files_lack": (
        "What it goes on from ({path}) has no {parts}: whatever of these the training depends on starts anew at "
        "every resume."
    ),
    "audit_remedy_files_lack": (
        "Save and load these as well ({parts}), or let unbroken.Run keep the state (three lines) and audit again: it "
        "then names the step and the object."
    ),
    "audit_cause_final": (
        "Every step of the training was the same, and yet the final file is not: it is made from something that is "
        "not tracked."
    ),
    "audit_cause_final_held": (
        "Every step of the training was the same, and yet the final file is not: it is made from something that is "
        "not tracked. What the code holds differently at the end: {variables}."
    ),
    "audit_remedy_final": "Track the object that it is made from, or keep its values in run.state.",
    # Audit: what is behind a difference between two whole runs
    "audit_cause_hash": (
        "With the same PYTHONHASHSEED two runs are the same: something depends on the order of a set (or of a dict "
        "made from one), which differs in every process."
    ),
    "audit_cause_hash_held": (
        "With the same PYTHONHASHSEED two runs are the same: something depends on the order of a set, which differs in "
        "every process. What is in another order, or holds other things: {names}."
    ),
    "audit_remedy_hash": "Sort it: sorted(the_set). (PYTHONHASHSEED=0 in the environment hides it.)",
    "audit_cause_optimizer_set": (
        "{name} gets its parameters in another order in every process: they come out of a set."
    ),
    "audit_remedy_optimizer_set": (
        "Give the optimizer a list in the model's order: [p for p in model.parameters() if …]."
    ),
    "audit_cause_seed": (
        "Torch's random stream differs from the very start: seeded from the clock, the process number or the system."
    ),
    "audit_remedy_seed": "Seed it with a fixed number: torch.manual_seed(0).",
    "audit_cause_unseeded": (
        "Random streams that differ from the very start, or from here on: {streams}. They are not seeded, or seeded "
        "from the clock or the system. (If the script draws from none of them: the clock itself, os.urandom, "
        "os.listdir, threads, or kernels that are not deterministic.)"
    ),
    "audit_remedy_unseeded": "Seed them with a fixed number: random.seed(0); np.random.seed(0); torch.manual_seed(0).",
    "audit_cause_generator": "Random generators that differ from the very start, or from here on: {names}.",
    "audit_remedy_generator": "Give it a fixed seed: np.random.default_rng(0), torch.Generator().manual_seed(0).",
    "audit_cause_kernels": (
        "Neither the hash seed nor a random stream explains it: the clock, os.urandom, the order of os.listdir, "
        "several threads, or kernels that are not deterministic."
    ),
    "audit_remedy_kernels": (
        "Try torch.use_deterministic_algorithms(True) and torch.set_num_threads(1); sort what is listed from a folder."
    ),
    # Audit: notes
    "audit_note_records": "Not compared, as they differ between whole runs that train the same (times?): {names}",
    "audit_note_replayed": (
        "Whole runs cannot be compared, but {steps:|step was|steps were} trained twice around the kills, the second "
        "time bit for bit as the first."
    ),
    "audit_note_left_over": (
        "At the end of a resumed run the code holds something else, though nothing that was compared depends on it: "
        "{variables}. If code after the loop uses it, keep it in run.state."
    ),
    "audit_note_time": "{count:|kill was|kills were} left out for lack of time; --time gives more.",
    "audit_note_late": "{count:|kill|kills} would have come after the script's end; a longer run is killed more often.",
    "audit_note_seed": "To repeat it with the same moments: --seed {seed}",
    "audit_note_outside": (
        "The script looked for {path}, and did not find it: the audit runs it in copies of {folder}, and that lies "
        "outside. Start the audit in a folder that holds both, or give the script the absolute path."
    ),
    "audit_note_unseen": (
        "Whether a checkpoint was read after a restart could not be seen (the command is no Python that heeds "
        "PYTHONPATH, and the file system records no access times): only less training after a restart shows that it "
        "resumed."
    ),
    # Audit: parts of sentences
    "audit_part_optimizer": "state of an optimizer",
    "audit_part_streams": "random streams",
    "audit_part_count": "count of steps or epochs",
    "audit_variable": "{name} in {where}",
    "audit_the_script": "the script",
    "audit_is_not": "{name} is {got}, not {expected}",
    "audit_is_other": "{name} holds other values",
    "audit_absent": "nothing",
    "audit_items": "{count:|item|items}",
    # Commands: help
    "cli_description": "Look at, check, compare, thin out and back up the checkpoints of a training run.",
    "cli_help_help": "show this help and exit",
    "cli_help_version": "show the version and exit",
    "cli_help_lang": "language of the output (default: the system's)",
    "cli_help_json": "one JSON document instead of text",
    "cli_help_list": "list every checkpoint in a folder, the newest first",
    "cli_help_show": "show all that one checkpoint says of itself",
    "cli_help_verify": "read every byte and say which checkpoints are good (exit code 5 if one is not)",
    "cli_help_diff": "compare two checkpoints: metrics, parameters, environment, every tensor",
    "cli_help_resume_point": "say which file the next resume takes, and why not the others",
    "cli_help_prune": "delete old numbered checkpoints, after showing which",
    "cli_help_backup": "copy a checkpoint folder elsewhere, every copy verified; what is there already is skipped",
    "cli_help_audit": "prove whether your script resumes exactly: run it whole, kill it, compare every step",
    "cli_help_audit_command": "after --, the command that starts your script, as you would type it",
    "cli_help_kills": "how many times to kill it (default: 7)",
    "cli_help_time": "how long the audit may take, such as 90s, 10min, 2h (default: 10min)",
    "cli_help_checkpoints": (
        "for a script without unbroken.Run: the folder of its checkpoints, watched for saves and not copied"
    ),
    "cli_help_final": "a file that the script ends with, compared tensor by tensor; needed without unbroken.Run",
    "cli_help_keep_runs": "keep the copies, traces and logs of all runs",
    "cli_help_seed": "draw the moments of the kills from this number, to repeat an audit",
    "cli_help_folder": "the checkpoint folder (default: checkpoints)",
    "cli_help_folder_or_file": "a checkpoint folder, or one file (default: checkpoints)",
    "cli_help_file": "a checkpoint file",
    "cli_help_destination": "where the copies go; made if missing",
    "cli_help_newest": "keep the newest N numbered checkpoints",
    "cli_help_keep_best": "keep those of the N best epochs, by the run's metric",
    "cli_help_keep_every": "keep one of every N epochs",
    "cli_help_keep_every_steps": "keep one of every N steps",
    "cli_help_keep_space": (
        "delete the oldest numbered ones as long as the run's checkpoints take more than this, such as 20GB"
    ),
    "cli_help_dry_run": "only show what would be deleted",
    "cli_help_yes": "delete without asking",
    # Commands: what is wrong with the words typed
    "cli_wrong_words": "{program}: {complaint}. For help: {program} --help",
    "cli_words_missing": "missing: {names}",
    "cli_words_unknown": "not understood: {words}",
    "cli_word_no_choice": "{name} cannot be {word}; choose from {choices}",
    "cli_did_you_mean": "{complaint} (did you mean {word}?)",
    "cli_word_bad": "{word} is not a valid value ({kind}) for {name}",
    "cli_word_needs_value": "{name} needs a value",
    "cli_word_takes_no_value": "{name} takes no value, but got {word}",
    "cli_heading_usage": "usage: ",
    "cli_heading_positional": "arguments:",
    "cli_heading_options": "options:",
    "cli_help_keep": "mark a checkpoint to be kept for ever: no retention policy and no prune deletes it",
    "cli_help_restore": (
        "bring a backup back into a checkpoint folder; what it replaces is kept, nothing is overwritten"
    ),
    "cli_help_backup_folder": "the backup, a checkpoint folder itself",
    "cli_help_restored_to": "the checkpoint folder to restore to; made if missing",
    "cli_help_completion": (
        'print a script for your shell, which then completes the words of this command: eval "$(unbroken completion '
        'bash)"'
    ),
    "cli_help_shell": "bash, zsh, fish or tcsh",
    "cli_help_export": "write the weights of a checkpoint to a safetensors file",
    "cli_help_output": "the file to write; one that exists is not overwritten",
    "cli_help_state": "which tracked state to export (default: model)",
    "cli_help_subset": (
        "read only files that make up this share of all bytes, such as 10%: those never verified or verified longest "
        "ago, so that the same command, repeated, reads them all in turn"
    ),
    "cli_help_deep": (
        "also compare every tensor with what was in memory when it was saved, and try out what this mount promises"
    ),
    "cli_help_undo": "take the mark away",
    # Commands: columns and labels
    "cli_column_file": "file",
    "cli_column_epoch": "epoch",
    "cli_column_batch": "batch",
    "cli_column_step": "step",
    "cli_column_best": "best (epoch)",
    "cli_column_size": "size",
    "cli_column_verified": "verified",
    "cli_columns_dropped": "Not shown at this width: {names}.",
    "cli_column_saved": "saved",
    "cli_column_state": "state",
    "cli_column_branch": "branch",
    "cli_column_run": "run",
    "cli_column_why": "why not",
    "cli_column_not_taken": "not taken",
    "cli_column_delete": "to delete",
    "cli_column_backup": "backup",
    "cli_column_metric": "metric",
    "cli_column_last": "last value",
    "cli_column_epochs": "epochs",
    "cli_column_first_difference": "difference",
    "cli_column_tracked": "state of",
    "cli_column_tensors": "tensors",
    "cli_column_numbers": "numbers",
    "cli_column_dtype": "dtype",
    "cli_column_as_saved": "tensors as saved",
    "cli_state_good": "good",
    "cli_state_unverified": "unverified",
    "cli_state_damaged": "damaged",
    "cli_state_foreign": "not a checkpoint",
    "cli_saved_on": "why saved",
    "cli_saved_start": "start of the run",
    "cli_saved_epoch": "end of an epoch",
    "cli_saved_steps": "after so many steps",
    "cli_saved_asked": "asked for by the script",
    "cli_saved_time": "after so much time",
    "cli_saved_signal": "stopped by a signal",
    "cli_saved_branch": "went on from an older state",
    "cli_saved_loader_error": "loading data failed",
    "cli_saved_end": "end of the training",
    "cli_saved_budget": "end of the time budget",
    "cli_finished": "ended on purpose",
    "cli_parent": "went on from",
    "cli_parent_value": "epoch {epoch}, batch {batch}, step {step} of branch {branch} (run {run_id})",
    "cli_replays": "Replayed after interruptions",
    "cli_replay_after": "after step {after}",
    "cli_replay_exact": "{steps:|step|steps}, bit for bit as before",
    "cli_replay_differs": "DIFFERS from step {step} on, in {streams}; {steps:|step|steps} compared",
    "cli_plain_file": "none (plain file)",
    "cli_config": "Parameters",
    "cli_environment": "Environment",
    "cli_data": "Data",
    "cli_state": "State beside tensors and metrics",
    "cli_packages": "  and {count:|package version|package versions} (--json shows them)",
    "cli_more": "  and {count} more (--json shows all)",
    # Commands: list, verify
    "cli_state_note": (
        "good: as sealed when it was saved, by size and time; unverified: no seal. To read every byte: unbroken verify"
    ),
    "cli_marked": "Marked to be kept for ever: {names}",
    "cli_archived": "Moved aside earlier: {path} ({count:|file|files}); to look into it: {command}",
    "cli_set_aside": "Set aside as damaged: {path}",
    "cli_verified": "good: {good}, damaged: {damaged}",
    "cli_verified_bad": "{path} was found damaged when it was read on {on}; to read it again: unbroken verify.",
    "cli_subset_never": (
        "{count} of {total:|file|files} read; {never:|has|have} never been verified. The same command goes on with "
        "these."
    ),
    "cli_subset_since": "{count} of {total:|file|files} read; every one of them was verified on {since} or later.",
    "cli_no_record": "{count} (no record)",
    "cli_tensors_differ": (
        "{path}: {count:|tensor is|tensors are} not what was in memory when it was saved ({names}), though the file "
        "is whole: bad memory, or a changed manifest. Resume from another checkpoint (unbroken list)."
    ),
    "cli_mount": "File system: {kind}, mounted at {point}",
    "cli_promise_folder_sync": "names can be made durable",
    "cli_promise_replaces": "a rename replaces a file",
    "cli_promise_links": "hard links",
    "cli_promise_clones": "copies that share blocks (reflink)",
    "cli_promise_locks": "locks",
    "cli_yes": "yes",
    "cli_without_folder_sync": "no: after a power cut a name may refer to the former file",
    "cli_without_replaces": "no: a kill during a save may leave a name without its file",
    "cli_without_links": "no: during a save latest is absent for a moment; previous has its state",
    "cli_without_clones": "no: every copy is written out",
    "cli_without_locks": "no: make sure yourself that only one training uses this folder",
    "cli_not_tried": "Nothing can be written here, so nothing was tried out.",
    "cli_mount_memory": "This folder lies in memory ({kind}): a power cut loses all of it. Keep checkpoints on a disk.",
    "cli_mount_network": (
        "This may be a network file system ({kind}): its locks and syncs may guarantee less than they claim, and other "
        "machines see changes late."
    ),
    # Commands: nothing found
    "cli_nothing": "No checkpoint found. Looked for {pattern}: {found}. {cache}. {next}",
    "cli_found_no_folder": "that folder does not exist",
    "cli_found_empty": "that folder is empty",
    "cli_found_only": "that folder holds only {names}",
    "cli_found_unreadable": "that folder cannot be read ({reason})",
    "cli_cache_there": "The preprocessed data are there: {path} ({size})",
    "cli_cache_missing": "There are no preprocessed data either ({path})",
    "cli_next_elsewhere": "There are checkpoints elsewhere ({count:|folder|folders}); run: {command}",
    "cli_next_training": "To start training, run: {command}",
    "cli_next_script": "Start your training script, or name another folder: unbroken list FOLDER",
    "cli_no_file_alone": "There is no {path}: {found}. {next}",
    "cli_not_a_file": "{path} is a folder; name one checkpoint in it. To see which there are, run: {next}",
    "cli_no_file": "There is no {path}. Its folder holds: {found}. To see them, run: {next}",
    # Commands: diff
    "cli_from_epoch": "from epoch {epoch} on",
    "cli_same_so_far": "same as far as both go",
    "cli_tensors_recorded": (
        "Tensors, by the digests recorded when they were saved: {equal} equal, {differing} different, {only_a} only "
        "in A, {only_b} only in B"
    ),
    "cli_tensors_read": (
        "Tensors, read and compared: {equal} equal, {differing} different, {only_a} only in A, {only_b} only in B"
    ),
    "cli_diff_identical": "The training state is the same, bit for bit.",
    "cli_diff_differ": "The training state differs.",
    # Commands: resume-point
    "cli_resume_between": "The next resume takes {path} and starts epoch {next} (step {step} done, saved {timestamp}).",
    "cli_resume_inside": (
        "The next resume takes {path} and goes on in epoch {next}, {batch:|batch|batches} of it done (step {step} "
        "done, saved {timestamp})."
    ),
    "cli_resume_at_step": "The next resume takes {path} and goes on after step {step} (saved {timestamp}).",
    "cli_resume_finished": "That run was ended on purpose ({reason}): a resume finds nothing left to train.",
    "cli_why_same": "the same state as {name}",
    "cli_why_older": "older",
    "cli_why_left_behind": "left behind: the run went on from an older state (branch {branch})",
    "cli_why_other_run": "of another run: {run}",
    "cli_why_foreign": "not a checkpoint",
    # Commands: prune
    "cli_prune_how": (
        "Say what to keep: --keep N (the newest N), --keep-best N (the N best epochs), --keep-every N (one of every N "
        "epochs), --keep-every-steps N (one of every N steps), --keep-space SIZE (such as 20GB); several together keep "
        "what one of them keeps, within the space."
    ),
    "cli_no_best": (
        "{path} names no metric that tells which epochs are best (best= of Run), so there are no best ones to keep; "
        "say in another way what to keep, such as --keep N."
    ),
    "cli_needs_yes": (
        "{count:|file|files} would be deleted and nobody can be asked here: add --yes to delete them, or --dry-run to "
        "see which."
    ),
    "cli_ask_delete": "Delete these {count:|file|files}, {size}? [y/N]",
    "cli_nothing_deleted": "Nothing was deleted.",
    "cli_space_not_reached": (
        "{size} of checkpoints stay, more than {limit}: never deleted are the newest, the one before it, the best, "
        "those marked by 'unbroken keep', and those a branch began from."
    ),
    "cli_nothing_to_delete": "Nothing to delete.",
    "cli_kept": "Kept: {names}",
    "cli_deleted": "Deleted {count:|file|files}, {size} freed.",
    "cli_dry_run": "Would delete {count:|file|files} and free {size}; nothing was deleted.",
    # Commands: keep
    "cli_kept_for_ever": (
        "{path} is kept for ever: no retention policy and no prune deletes it (to undo: unbroken keep --undo)."
    ),
    "cli_not_kept": "{path} is no longer marked: retention and prune may delete it.",
    "cli_keep_is_replaced": (
        "{path} is replaced by newer states as the run goes on, so it cannot be kept: mark a numbered checkpoint, or "
        "copy it: cp {path} {copy}"
    ),
    "cli_keep_damaged": "Not marked, as it could not be resumed from: {reason}",
    # Commands: export
    "cli_exported": "Wrote {path}: {count:|tensor|tensors} of {file}, {size}.",
    "cli_export_left_out": "Left out, as they are no tensors: {names}",
    "cli_export_exists": "{path} is there already, and nothing is overwritten; choose another name.",
    "cli_export_no_folder": "There is no folder {folder} to write {path} to; make it first.",
    "cli_export_needs": "Writing safetensors files needs the safetensors library: pip install 'unbroken[safetensors]'",
    "cli_export_nothing": "{path} has no tensors tracked as {name}; choose another with --state. Tracked: {names}",
    # Commands: backup
    "cli_backup_inside": (
        "{destination} lies inside {folder}: a backup there would be lost with it; choose another place."
    ),
    "cli_copied": "copied and verified",
    "cli_unchanged": "unchanged, read again",
    "cli_left_out": "NOT copied",
    "cli_moved_aside": "{folder} held another run; it is now in {path}",
    "cli_replaced": "What was there before is now {path}",
    "cli_restore_inside": "{destination} lies inside {folder}: restore to a folder outside the backup.",
    "cli_restore_ahead": (
        "{folder} is ahead of the backup (step {step}, the backup: {backup_step}), so nothing was restored. To go on "
        "from the backup all the same, resume from {newest}, or restore into another folder."
    ),
    "cli_restored": (
        "Restored to {path}: {copied} copied ({size}), {unchanged} unchanged. To see where a resume goes on: "
        "unbroken resume-point {path}"
    ),
    "cli_backed_up": "Backed up to {path}: {copied} copied ({size}), {unchanged} unchanged.",
    # Commands: report, watch
    "cli_help_report": "write one page (HTML) that shows the run: curves, interruptions, lineage, saves, disk",
    "cli_help_report_output": (
        "the page to write (default: report.html); an earlier report there is replaced, nothing else is"
    ),
    "cli_help_report_audit": "show this audit, too: what 'unbroken audit --json' has printed",
    "cli_help_watch": "show a run live in the terminal, until Ctrl-C",
    "cli_reported": "Wrote {path}, {size}: open it in a browser; it needs no network.",
    "cli_no_audit": "{path} is not what 'unbroken audit --json' prints ({reason}).",
    "report_title": "Training report",
    "report_of": "Of",
    "report_written": "written",
    "report_passed_over": "A newer file could not be read, so this report is of an older one:",
    "report_contents": "Contents",
    "report_curves": "Curves",
    "report_curves_none": "No metric was recorded.",
    "report_curves_left_out": "Not drawn, as there are too many:",
    "report_marks_told": (
        "A dashed line is a restart, with its number in the table below: red after a kill or an error, green "
        "after a stop with its state saved or a deliberate start."
    ),
    "report_figures_behind": "The figures as a table",
    "report_thinned": (
        "Thinned: {shown} of {epochs:|epoch|epochs} are shown; of each stretch the lowest and the highest value."
    ),
    "report_gaps": "{count:|value is|values are} infinite or NaN: a gap in the curve, and spelled out in the table.",
    "report_restarts_title": "Interruptions and restarts",
    "report_restarts_unknown": (
        "Not recorded by the version that wrote this run, or this is a lone file: no more is known than the "
        "proofs below."
    ),
    "report_restarts_earlier": (
        "Earlier starts are not among these: the version of that time did not record them, or they are too long ago."
    ),
    "report_restarts_saved_only": (
        "Lost: steps trained after the last save, as far as the journal shows; they are trained again. A proof shows "
        "up with the first save after it."
    ),
    "report_left": "(on a branch left behind)",
    "report_column_number": "no.",
    "report_column_when": "when",
    "report_column_from": "from",
    "report_column_ended": "how the one before ended",
    "report_column_lost": "steps lost",
    "report_column_proof": "proof",
    "report_column_changes": "what has changed",
    "report_column_where": "where",
    "report_ended_begun": "a fresh start",
    "report_ended_went_back": "an older state was asked for: a new branch",
    "report_ended_complete": "all that was planned was done",
    "report_ended_broken_off": "killed, or ended by an error",
    "report_change_data": "other data, as allowed",
    "report_change_config": "parameter",
    "report_change_setting": "setting put in force",
    "report_change_environment": "environment",
    "report_absent": "(none)",
    "report_unknown": "not known",
    "report_not_recorded": "not recorded by this version",
    "report_place": "epoch {epoch} done, step {step}",
    "report_place_step": "step {step}",
    "report_place_batch": "epoch {epoch} done and {batch:|batch|batches}, step {step}",
    "report_processes": "{count:|process|processes}",
    "report_proof_none": "no steps to compare (yet)",
    "report_proofs": "Proofs of the restarts",
    "report_proofs_none": "none yet",
    "report_proofs_exact": "{count} of {count} exact, {steps:|step|steps} trained again",
    "report_proofs_differ": "{count} of {of} DIFFER",
    "report_column_save": "save no.",
    "report_restarts": "Restarts",
    "report_lost": "Steps lost and trained again",
    "report_last_saved": "Last saved",
    "report_lineage": "Checkpoints and branches",
    "report_lineage_told": (
        "Each lane is a branch, each dot a checkpoint at its step; grey ones were left behind or moved aside, "
        "hollow ones are damaged."
    ),
    "report_lineage_title": "{branches:|branch|branches} with {count:|checkpoint|checkpoints}",
    "report_lineage_left_out": "Checkpoints not drawn, for lack of room:",
    "report_branch": "branch {branch}",
    "report_mark": "{name}: epoch {epoch}, step {step}",
    "report_rows_more": "Further files not in this table:",
    "report_saves": "Saves",
    "report_saves_unknown": "Not recorded here: by an older version, beside a lone file, or in a copy that has none.",
    "report_saves_count": "Saves",
    "report_saves_failed": "Failed",
    "report_saves_stalled": "Training stood still for a save",
    "report_saves_seconds": "Until it was safe on disk",
    "report_median": "median {span}",
    "report_longest": "longest {span}",
    "report_column_steps": "steps",
    "report_column_saves": "saves",
    "report_column_failed": "failed",
    "report_column_stalled": "stall (s)",
    "report_column_seconds": "until on disk (s)",
    "report_column_megabytes": "size (MB)",
    "report_disk": "Disk",
    "report_disk_numbered": "Numbered checkpoints",
    "report_disk_others": "Latest, previous, best and others",
    "report_disk_archive": "Moved aside (archive)",
    "report_disk_free": "Free",
    "report_disk_forecast": "Forecast",
    "report_forecast_enough": "room for all that this run keeps",
    "report_forecast_steps": "no forecast for checkpoints numbered by steps",
    "report_forecast_planned": "enough until the planned end (epoch {planned})",
    "report_forecast_far": "enough for more than {epochs:|epoch|epochs}",
    "report_forecast_full": "FULL after epoch {epoch}",
    "report_audit": "Audit",
    "report_audit_told": "As printed by an audit that was given to this report; nothing ties it to this run.",
    "report_packages": "Versions of packages",
    "report_no_script": (
        "Curves are drawn by a script, which this browser does not run; their figures are in the tables."
    ),
    "report_reading": "Arrow keys read values off a curve, dragging enlarges, Escape or a double click shows all.",
    "report_made_by": "Made by unbroken",
    "report_licences": "Licence of the charts",
    "report_nothing": "None.",
    "report_ago": "{span} ago",
    "watch_step": "Step (now)",
    "watch_speed": "{speed} steps/s",
    "watch_leave": "Ctrl-C leaves; training goes on.",
    "watch_left": "Left; training goes on.",
}
