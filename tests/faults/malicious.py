"""Known ways to run code from a pickle: what public scanners list, in every form a pickle can call it."""

from collections.abc import Iterator

from tests.store.forge import called, text

COMMAND = text("touch executed")

# The list of unsafe globals of picklescan 1.0.5 (MIT); where it has a whole module, a function of it.
LISTED = """
__builtin__ eval compile getattr apply exec open breakpoint
builtins eval compile getattr apply exec open breakpoint __import__
cloudpickle.cloudpickle _builtin_type _make_function _function_setstate _make_cell _make_empty_cell subimport
types CodeType
aiohttp ClientSession
asyncio create_subprocess_shell
bdb Bdb.run
commands getoutput
ctypes CDLL
functools partial
httplib HTTPSConnection
logging FileHandler
_io FileIO
numpy.f2py.crackfortran _eval_length
numpy.testing._private.utils runstring
nt system
posix system
_operator attrgetter itemgetter methodcaller
operator attrgetter itemgetter methodcaller
os system popen execv
requests.api get
runpy _run_code run_path
shutil rmtree
socket create_connection
ssl get_server_certificate
subprocess Popen check_output getoutput
sys settrace exit
code InteractiveInterpreter.runcode
cProfile run runctx
distutils.file_util write_file
doctest debug_script
ensurepip _run_pip
idlelib.autocomplete AutoComplete.get_entity AutoComplete.fetch_completions
idlelib.calltip Calltip.fetch_tip get_entity
idlelib.debugobj ObjectTreeItem.SetText
idlelib.pyshell ModifiedInterpreter.runcode ModifiedInterpreter.runcommand
idlelib.run Executive.runcode
imaplib IMAP4_stream
lib2to3.pgen2.grammar Grammar.loads
lib2to3.pgen2.pgen ParserGenerator.make_label
pdb run
pickle loads
_pickle loads
pip main
pkgutil resolve_name
pty spawn
profile run
pydoc locate pipepager
test.support.script_helper assert_python_ok
timeit timeit
torch._dynamo.guards GuardBuilder.get
torch._inductor.codecache compile_file
torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression
torch.jit.unsupported_tensor_ops execWrapper
torch.serialization load
torch load
torch.utils._config_module ConfigModule.load_config
torch.utils.bottleneck.__main__ run_cprofile run_autograd_prof
torch.utils.collect_env run
torch.utils.data.datapipes.utils.decoder basichandlers
torch.storage _load_from_bytes
trace Trace.run Trace.runctx
urllib.request urlopen
uuid _get_command_stdout
venv create
webbrowser open
_osx_support _read_output
_aix_support _read_cmd_output
_pyrepl.pager pipe_pager
"""


def callables() -> Iterator[tuple[str, str]]:
    """Module and name of each."""
    for line in LISTED.split("\n"):
        module, *names = line.split() or [""]
        yield from ((module, name) for name in names)


def pickles() -> Iterator[tuple[str, bytes]]:
    """A name, and a pickle that calls one of them with a command; protocols 0 to 4."""
    for module, name in callables():
        both = f"{module}\n{name}\n".encode()
        yield f"GLOBAL {module}.{name}", b"\x80\x02" + called(module, name, COMMAND) + b"."
        yield f"STACK_GLOBAL {module}.{name}", b"\x80\x04" + text(module) + text(name) + b"\x93" + COMMAND + b"\x85R."
        yield f"INST {module}.{name}", b"(" + COMMAND + b"i" + both + b"."
        yield f"OBJ {module}.{name}", b"(c" + both + COMMAND + b"o."
        yield f"NEWOBJ {module}.{name}", b"\x80\x02c" + both + COMMAND + b"\x85\x81."
        yield f"BUILD {module}.{name}", b"\x80\x02c" + both + b"}" + text("x") + COMMAND + b"sb."
        yield f"never called {module}.{name}", b"\x80\x02c" + both + b"."
