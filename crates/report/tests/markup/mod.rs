//! A small strict reader of the markup that the crate writes: tags nest, attributes are quoted.

/// Elements that have no end tag.
const VOID: [&str; 4] = ["meta", "br", "input", "!DOCTYPE"];

/// Every start tag, without its angle brackets; the contents of `script` and `style` are skipped as the HTML parser does.
pub fn elements(page: &str) -> Vec<String> {
    walk(page).map(|(tags, _)| tags).unwrap_or_default()
}

/// Checks that every tag is closed in its place.
pub fn check_balance(page: &str) -> Result<(), String> {
    let (_, open) = walk(page)?;
    if open.is_empty() { Ok(()) } else { Err(format!("left open: {open:?}")) }
}

fn walk(page: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let mut tags = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        if text.contains('>') {
            return Err(format!("bare > in text: {:?}", &text[text.len().saturating_sub(80)..]));
        }
        let end = tag_end(&rest[start..]).ok_or("a tag without end")?;
        let tag = &rest[start + 1..start + end];
        rest = &rest[start + end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop();
            if last.as_deref() != Some(name) {
                return Err(format!("</{name}> closes {last:?}; tags so far: {}", tags.len()));
            }
            continue;
        }
        let name = tag.split_whitespace().next().unwrap_or_default().trim_end_matches('/').to_string();
        if name.is_empty() || !name.trim_start_matches('!').chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("no tag: <{tag}>"));
        }
        tags.push(tag.to_string());
        if tag.ends_with('/') || VOID.contains(&name.as_str()) {
            continue;
        }
        if name == "script" || name == "style" {
            let close = format!("</{name}");
            let at = rest.to_ascii_lowercase().find(&close).ok_or("an unclosed script or style")?;
            rest = &rest[at + close.len() + 1..];
            continue;
        }
        open.push(name);
    }
    Ok((tags, open))
}

/// Position of the `>` that ends a tag, quotes respected.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (index, character) in tag.char_indices() {
        match (quote, character) {
            (None, '>') => return Some(index),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), other) if open == other => quote = None,
            _ => {}
        }
    }
    None
}

/// Attributes of a start tag with their values, entities left as they are.
pub fn attribute_values(tag: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = tag.split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
    while let Some(equals) = rest.find('=') {
        let names = rest[..equals].trim();
        let name = names.rsplit(char::is_whitespace).next().unwrap_or_default().to_string();
        let Some(quote) = rest[equals + 1..].chars().next().filter(|c| *c == '"') else {
            out.push((name, "unquoted".to_string()));
            rest = &rest[equals + 1..];
            continue;
        };
        let value = &rest[equals + 2..];
        let end = value.find(quote).unwrap_or(value.len());
        out.push((name, value[..end].to_string()));
        rest = value.get(end + 1..).unwrap_or("");
    }
    out
}
