//! A validator for the JSON Schema keywords that docs/error.schema.json uses. Any other keyword is a
//! panic, so that a rule is never skipped.

use serde_json::Value;

/// Returns the first violation of `schema` by `value`.
pub fn violation(schema: &Value, value: &Value, place: &str) -> Option<String> {
    let keywords = schema.as_object().unwrap();
    keywords.iter().find_map(|(keyword, rule)| {
        let problem = |problem: String| Some(format!("{place}: {problem}"));
        match keyword.as_str() {
            "$schema" | "title" | "description" => None,
            "type" => {
                let types: Vec<_> = rule.as_array().map_or_else(|| vec![rule], |types| types.iter().collect());
                let fits = types.iter().any(|name| is_type(name.as_str().unwrap(), value));
                if fits { None } else { problem(format!("{value} is not {rule}")) }
            }
            "enum" => {
                if rule.as_array().unwrap().contains(value) {
                    None
                } else {
                    problem(format!("{value} is not one of {rule}"))
                }
            }
            "minimum" => value
                .as_i64()
                .filter(|number| *number < rule.as_i64().unwrap())
                .and_then(|number| problem(format!("{number} is below {rule}"))),
            "minLength" => value
                .as_str()
                .filter(|text| (text.chars().count() as u64) < rule.as_u64().unwrap())
                .and_then(|_| problem("too short".to_owned())),
            "required" => {
                let has = |name: &Value| value.get(name.as_str().unwrap()).is_some();
                rule.as_array().unwrap().iter().find(|name| !has(name)).and_then(|name| problem(format!("{name} is missing")))
            }
            "additionalProperties" => {
                assert_eq!(rule, false);
                let known = schema["properties"].as_object().unwrap();
                value
                    .as_object()?
                    .keys()
                    .find(|name| !known.contains_key(*name))
                    .and_then(|name| problem(format!("{name} is not described")))
            }
            "properties" => {
                rule.as_object().unwrap().iter().find_map(|(name, schema)| violation(schema, value.get(name)?, &format!("{place}.{name}")))
            }
            "items" => value.as_array()?.iter().find_map(|item| violation(rule, item, &format!("{place}[]"))),
            other => panic!("{other}: this validator does not know the keyword"),
        }
    })
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("{other}: this validator does not know the type"),
    }
}

#[test]
fn the_validator_finds_each_kind_of_violation() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"type": ["integer", "null"], "minimum": 2}, "b": {"enum": ["x"], "minLength": 1}, "c": {"type": "array", "items": {"type": "string"}}}
    });
    let check = |value: Value| violation(&schema, &value, "$");

    assert_eq!(check(serde_json::json!({"a": 2, "b": "x", "c": ["d"]})), None);
    assert_eq!(check(serde_json::json!({"a": null})), None);
    for wrong in [
        serde_json::json!([]),
        serde_json::json!({}),
        serde_json::json!({"a": 1}),
        serde_json::json!({"a": "2"}),
        serde_json::json!({"a": 2, "b": "y"}),
        serde_json::json!({"a": 2, "c": [1]}),
        serde_json::json!({"a": 2, "d": 1}),
    ] {
        assert!(check(wrong.clone()).is_some(), "{wrong}");
    }
}
