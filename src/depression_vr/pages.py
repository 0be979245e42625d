"""Pages and texts from templates that lie beside the code that fills them."""

import jinja2


def templates(package: str, *, escaped: bool = True) -> jinja2.Environment:
    """The templates in a package, and those here, which pages share: what they are not given is an error.

    Args:
        package: with the templates.
        escaped: whether what they are given is escaped for HTML.
    """
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(package, "."), jinja2.PackageLoader("depression_vr", ".")]
        ),
        autoescape=escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
